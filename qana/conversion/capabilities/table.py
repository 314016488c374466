"""The capability table of each Akida generation, as data.

Every value was tried on akida 2.19.3 by mapping the smallest program with it and the smallest without;
`tests/conversion/test_capabilities_sdk.py` tries them again, so that another SDK that behaves otherwise is
noticed. `Limit.sdk` is what the SDK says one step further.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Kind = Literal["stem", "convolution", "depthwise", "separable", "dense"]


@dataclass(frozen=True)
class Limit:
    """A largest (or smallest) legal value and the SDK's words about the next one.

    Attributes:
        value: the last one that maps.
        sdk: part of the SDK's message beyond it.
    """

    value: int
    sdk: str


@dataclass(frozen=True)
class LayerTable:
    """What one kind of layer takes.

    Attributes:
        strides: kernel size to its legal strides; every other kernel size is refused.
        filters: most filters, by kernel size.
        fan_in: weight bits, then kernel size, to the most input channels.
        max_pools: legal (size, stride) of a max pool behind the convolution, on every device.
        pool_with_stride: whether a strided convolution may have a pool.
        global_pool: whether a global average may stand behind it.
        refused_bits: (weight, activation) pairs of the generation that this kind of layer does not take.
    """

    strides: Mapping[int, tuple[int, ...]]
    filters: Mapping[int, Limit]
    fan_in: Mapping[int, Mapping[int, Limit]] = field(default_factory=dict)
    max_pools: tuple[tuple[int, int], ...] = ((2, 2),)
    pool_with_stride: bool = True
    global_pool: bool = True
    refused_bits: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True)
class GenerationTable:
    """What one Akida generation runs.

    Attributes:
        layers: kind of layer to its table; a kind that is absent is refused.
        bits: (weight, activation) pairs that map behind the first layer, in at least one kind of layer.
        input_weight_bits: weight bits of the first layer.
        global_pool_order: where a global average stands: before or behind the ReLU.
        pooled_positions: most positions of a globally pooled map.
        pooled_rows: fewest rows of a globally pooled map.
        image_side: fewest and most rows and columns of an image (columns are not limited on v1).
        paddings: names of the legal paddings behind the first layer.
    """

    layers: Mapping[Kind, LayerTable]
    bits: tuple[tuple[int, int], ...]
    input_weight_bits: int
    global_pool_order: Literal["before", "behind"]
    pooled_positions: Limit
    pooled_rows: Limit
    image_side: tuple[Limit, Limit]
    paddings: tuple[str, ...]


def _everywhere(kernels: tuple[int, ...], limit: Limit) -> dict[int, Limit]:
    return {kernel: limit for kernel in kernels}


_MOST_FILTERS = Limit(2048, "The maximum number of filters is 2048")
_TOO_BIG = "Filter size is too big to fit in a CNP"
_NO_SPLIT = "Cannot split to fit weights in ram"
_AT_LEAST_5 = 5

V1 = GenerationTable(
    layers={
        "stem": LayerTable(
            # The chip's first layer also takes stride 3; no network here was ever taken through with one.
            strides={3: (1, 2), 5: (1, 2), 7: (1, 2)},
            filters={
                3: Limit(192, "num_neurons should be set between 1 and 192"),
                5: Limit(64, "num_neurons should be set between 1 and 64"),
                7: Limit(32, "num_neurons should be set between 1 and 32"),
            },
            global_pool=False,  # "The parameter pool_type cannot be Average."
        ),
        "convolution": LayerTable(
            # "Convolution stride 2 is only supported for 3x3 kernels."
            strides={1: (1,), 3: (1, 2), 5: (1,), 7: (1,)},
            filters=_everywhere((1, 3, 5, 7), _MOST_FILTERS),
            fan_in={
                4: {
                    1: Limit(448, _TOO_BIG),
                    3: Limit(448, _TOO_BIG),
                    5: Limit(448, _TOO_BIG),
                    7: Limit(149, _TOO_BIG),
                }
            },
        ),
        "separable": LayerTable(
            strides={3: (1, 2), 5: (1,), 7: (1,)},
            filters=_everywhere((3, 5, 7), _MOST_FILTERS),
            fan_in={4: {3: _MOST_FILTERS, 5: Limit(1792, _NO_SPLIT), 7: Limit(896, _NO_SPLIT)}},
        ),
        "dense": LayerTable(strides={1: (1,)}, filters={}, max_pools=(), global_pool=False),
    },
    # Weights of 1 bit map too ("Standard CNP weights bitwidth must be 1, 2 or 4."), though not in separable
    # layers ("must be 2 or 4"), but they are 0 and 1, and the SDK's quantizer makes none. Activations of 3
    # bits run in the software backend and do not map ("The parameter act_bits should be 1, 2 or 4.").
    bits=((4, 4), (4, 2), (4, 1), (2, 4), (2, 2), (2, 1)),
    input_weight_bits=8,
    global_pool_order="before",
    # cnn2snn, not the mapper: "We only accepts values smaller than 256".
    pooled_positions=Limit(255, "only accepts values smaller than 256"),
    pooled_rows=Limit(3, "must have at least 3 rows"),
    image_side=(
        Limit(_AT_LEAST_5, "cannot be smaller than 5"),
        Limit(256, "The maximum input second dimension size is 256"),
    ),
    paddings=("Same",),
)

V2 = GenerationTable(
    layers={
        "stem": LayerTable(
            strides={3: (1, 2), 4: (1, 2), 5: (1, 2), 7: (1, 2)},
            filters=_everywhere((3, 4, 5, 7), Limit(512, "filters number should be set between 1 and 512")),
            max_pools=((2, 2), (3, 2)),
            global_pool=False,  # "InputConv2D can't perform a Global Average Pooling."
        ),
        "convolution": LayerTable(
            # "Stride 2 is only supported with kernel size 1 or 3."
            strides={1: (1, 2), 3: (1, 2), 5: (1,), 7: (1,)},
            filters=_everywhere((1, 3, 5, 7), _MOST_FILTERS),
            fan_in={
                4: {
                    1: _MOST_FILTERS,
                    3: Limit(1365, _TOO_BIG),
                    5: Limit(512, _TOO_BIG),
                    7: Limit(195, _TOO_BIG),
                },
                8: {
                    1: _MOST_FILTERS,
                    3: Limit(682, _TOO_BIG),
                    5: Limit(204, _TOO_BIG),
                    7: Limit(73, _TOO_BIG),
                },
            },
            pool_with_stride=False,  # "The CNP cannot support both pooling and stride."
        ),
        "depthwise": LayerTable(
            strides={3: (1, 2), 5: (1,), 7: (1,)},
            filters=_everywhere((3, 5, 7), _MOST_FILTERS),
            pool_with_stride=False,
            global_pool=False,  # cnn2snn, not the mapper: "Invalid block found during conversion"
            refused_bits=((4, 8),),  # "4-bit weights and 8-bit activation is not allowed."
        ),
        "dense": LayerTable(strides={1: (1,)}, filters={}, max_pools=(), global_pool=False),
    },
    # The software backend runs more that does not map: fewer bits ("Weights bitwidth should be 4-bit or
    # 8-bit.") and w8a4 ("Input bits should be >= weights bits.").
    bits=((4, 4), (8, 8), (4, 8)),
    input_weight_bits=8,
    global_pool_order="behind",
    pooled_positions=Limit(144, "input dimensions width * height cannot exceed 144"),
    pooled_rows=Limit(1, ""),
    image_side=(
        Limit(_AT_LEAST_5, "should be >= 5"),
        Limit(384, "The second dimension should be between 5 and 384"),
    ),
    paddings=("Same", "SameUpper"),
)

GENERATIONS: Mapping[int, GenerationTable] = {1: V1, 2: V2}
