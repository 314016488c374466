"""The device that a program is mapped onto, by configured name. Runs in child processes only."""

from __future__ import annotations

import akida

from qana.conversion.capabilities.devices import MINIMAL, NODE_COUNTS, NPS_PER_NODE, require_known
from qana.errors import QanaError

ONE_NODE = NODE_COUNTS[1]
ONE_NODE_SKIP_CHANNELS = 2  # as TwoNodesIPv2 has
# Of the device of `mapped_amply`; `akida.compute_min_device` starts from as many.
AMPLE_NODES, AMPLE_DENSE, AMPLE_SKIP_CHANNELS = 256, 8, 64


def virtual_device(device: str, nodes: int | None, program: akida.Model | None) -> akida.Device:
    """Build the virtual device that ``conversion.device`` and ``conversion.nodes`` name.

    Args:
        device: factory in the ``akida`` package, such as ``AKD1000``, or ``minimal``: the smallest Akida v2
            device that holds `program` in one pass.
        nodes: of an Akida v2 device, in place of the number in `device`; None takes `device` as it is.
        program: what ``minimal`` is measured on; may be None otherwise.

    Raises:
        QanaError: no such device, no such number of nodes, the two contradict each other, or no smallest
            device exists.
    """
    require_known(device, nodes)
    if device == MINIMAL:
        return _minimal(program)
    name = device if nodes is None else NODE_COUNTS[nodes]
    if name == ONE_NODE:  # the vendor ships no factory for it, but one for any number of processors
        return akida.create_device(
            num_cnp_tnp=NPS_PER_NODE - 1, num_fnp=1, num_skip_dma_channel=ONE_NODE_SKIP_CHANNELS
        )
    return getattr(akida, name)()


def device_name(device: str, nodes: int | None, built: akida.Device) -> str:
    """What a report calls the device, such as ``SixNodesIPv2`` or ``minimal (12 NPs)``."""
    if device == MINIMAL:
        return f"{MINIMAL} ({len(built.mesh.nps)} NPs)"
    return device if nodes is None else NODE_COUNTS[nodes]


def mapped_amply(program: akida.Model) -> akida.Model | None:
    """A copy of `program`, mapped with as few processors as it can do with on a device that has plenty.

    Args:
        program: left as it is.

    Returns:
        The copy, or None where it does not map there either.
    """
    v2 = program.ip_version == akida.IpVersion.v2
    ample = akida.create_device(
        num_cnp_tnp=AMPLE_NODES * NPS_PER_NODE - AMPLE_DENSE,
        num_fnp=AMPLE_DENSE,
        num_skip_dma_channel=AMPLE_SKIP_CHANNELS if v2 else 0,
        hw_version=akida.FPGA_v2 if v2 else akida.NSoC_v2,
    )
    copy = akida.Model(layers=program.layers)
    try:
        copy.map(ample, hw_only=True, mode=akida.MapMode.Minimal)
    except (RuntimeError, ValueError):
        return None
    return copy


def _minimal(program: akida.Model | None) -> akida.Device:
    if program is None:
        raise ValueError("the smallest device is measured on a program")
    try:
        return akida.compute_min_device(program)
    except (RuntimeError, ValueError, NotImplementedError) as error:
        raise QanaError(
            f"no device is the smallest for the program: {' '.join(str(error).split())}",
            where=f"conversion.device = {MINIMAL}",
            allowed="a program for Akida v2 that maps in one pass",
            fix="choose a device by conversion.nodes, or make the network narrower",
        ) from error
