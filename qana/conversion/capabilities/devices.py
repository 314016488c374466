"""What each device has: neural processors, memory, and whether it may take several passes.

Numbers of akida 2.19.3 (`akida/virtual_devices.py`, ``mesh.np_sram_size``, ``akida.MapConstraints``);
`tests/conversion/test_device.py` reads them from the SDK again. Nothing here imports it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from qana.errors import QanaError

NODE_COUNTS: Mapping[int, str] = {
    1: "OneNodeIPv2",
    2: "TwoNodesIPv2",
    4: "FourNodesIPv2",
    6: "SixNodesIPv2",
    12: "TwelveNodesIPv2",
}
NPS_PER_NODE = 4
MINIMAL = "minimal"  # the smallest device of Akida v2 that holds the program


@dataclass(frozen=True)
class Processor:
    """What one neural processor holds at once.

    Attributes:
        input_bytes: of the map it reads.
        weight_bytes: of its filters.
        width: most columns of the map.
        height: most rows of the map.
        filters: most filters.
    """

    input_bytes: int
    weight_bytes: int
    width: int
    height: int
    filters: int


_AKD1000 = Processor(input_bytes=43008, weight_bytes=44800, width=32, height=256, filters=504)
_V1 = replace(_AKD1000, filters=512)
_V2 = Processor(input_bytes=65536, weight_bytes=51200, width=64, height=256, filters=512)


@dataclass(frozen=True)
class DeviceTable:
    """One device.

    Attributes:
        name: factory in the ``akida`` package; ``OneNodeIPv2`` comes from ``akida.create_device``.
        generation: 1 or 2.
        nps: neural processors.
        processor: what one of them holds.
        several_passes: whether a program may be run in parts. AKD1000 takes one pass only: ``Not enough
            hardware components of type CNP1 available.``
        max_pools: (size, stride) pairs beyond those of its generation. ``Pooling size 3 is not supported on
            NSoC_v2.`` is AKD1000's.
    """

    name: str
    generation: int
    nps: int
    processor: Processor
    several_passes: bool
    max_pools: tuple[tuple[int, int], ...] = ()


_LARGE_POOLS = ((3, 1), (3, 2), (3, 3))
DEVICES: Mapping[str, DeviceTable] = {
    device.name: device
    for device in (
        DeviceTable("AKD1000", 1, 78, _AKD1000, several_passes=False),
        DeviceTable("AKD1500", 1, 32, _V1, several_passes=True, max_pools=_LARGE_POOLS),
        DeviceTable("TwoNodesIPv1", 1, 8, _V1, several_passes=True, max_pools=_LARGE_POOLS),
        *(
            DeviceTable(name, 2, count * NPS_PER_NODE, _V2, several_passes=True)
            for count, name in NODE_COUNTS.items()
        ),
    )
}


def device_table(device: str, nodes: int | None) -> DeviceTable | None:
    """The row of a device; None for unknown names and ``minimal``, which grows with the program."""
    return DEVICES.get(device if nodes is None else NODE_COUNTS.get(nodes, ""))


def require_known(device: str, nodes: int | None, generation: int | None = None) -> None:
    """Refuse a device that does not exist, or not in this number of nodes, or not in this generation.

    Args:
        device: as configured.
        nodes: likewise.
        generation: of the target; None where it is not known.

    Raises:
        QanaError: names every fault.
    """
    faults = [] if device in (MINIMAL, *DEVICES) else [f"device {device!r}"]
    if nodes is not None and nodes not in NODE_COUNTS:
        faults.append(f"nodes {nodes}")
    own = 2 if device == MINIMAL else DEVICES[device].generation if device in DEVICES else None
    if nodes is not None and (device == MINIMAL or own == 1):
        faults.append(f"nodes {nodes} beside device {device}")
    if generation is not None and own not in (None, generation):
        faults.append(f"device {device}, of Akida v{own}, for generation {generation}")
    if faults:
        raise QanaError(
            f"there is no such device: {', '.join(faults)}",
            where=f"conversion.device = {device}, conversion.nodes = {nodes}",
            allowed=f"on Akida v1 {_names(1)}, with nodes null; on v2 {_names(2)}, with nodes null or one of "
            f"{', '.join(map(str, NODE_COUNTS))}, or {MINIMAL} with nodes null",
            fix="correct the values named above, or leave both to conversion=akd1000, akd1500 or akida2",
        )


def _names(generation: int) -> str:
    return ", ".join(name for name, row in DEVICES.items() if row.generation == generation)
