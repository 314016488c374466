"""Pools that a generation of Akida does not run: where they stand, how large they are."""

from __future__ import annotations

from collections.abc import Iterator

from qana.conversion.capabilities.table import GenerationTable, Kind
from qana.conversion.onnx_to_keras.fault import Fault
from qana.conversion.onnx_to_keras.layer import UNKNOWN, Layer
from qana.conversion.onnx_to_keras.layer_chain import LayerChain

CONVOLUTIONS: dict[str, Kind] = {
    "Conv2D": "convolution",
    "DepthwiseConv2D": "depthwise",
    "SeparableConv2D": "separable",
}


def max_pool_faults(layer: Layer, chain: LayerChain, table: GenerationTable) -> Iterator[Fault]:
    """A max pool is part of its convolution."""
    if layer.kind != "MaxPool2D":
        return
    conv = chain.block_head(layer, ["ReLU"])
    if conv is not None and conv.kind == UNKNOWN:
        return
    if conv is None or conv.kind not in CONVOLUTIONS or chain.only_reader(conv) is None:
        yield layer.fault(
            f"a max pool behind {'the image' if conv is None else _name(conv)}",
            allowed="a max pool directly behind a convolution and its ReLU",
            rewrite="put a 1x1 convolution with a ReLU ahead of the pool",
        )
        return
    yield from _window_faults(layer, conv, chain, table)
    if _is_padded_otherwise(layer, conv):
        yield layer.fault(
            f"a max pool with padding {layer.arguments['padding']} behind a convolution with padding "
            f"{conv.arguments['padding']} on {layer.before[0].shape[0]}x{layer.before[0].shape[1]}",
            allowed="the padding of its convolution",
            rewrite="use ceil_mode=True (torch), or images whose size divides evenly",
        )
    reader = chain.only_reader(layer)
    while reader is not None and reader.kind in ("ReLU", "Flatten"):
        reader = chain.only_reader(reader)
    if table.global_pool_order == "behind" and reader is not None and reader.kind == "Dense":
        yield layer.fault(
            "a max pool before a dense layer",
            allowed="a convolution behind every max pool",
            rewrite="put a convolution and a global average pool between them",
        )


def _window_faults(layer: Layer, conv: Layer, chain: LayerChain, table: GenerationTable) -> Iterator[Fault]:
    kind: Kind = "stem" if chain.is_first(conv) else CONVOLUTIONS[conv.kind]
    limits = table.layers.get(kind)
    if limits is None:
        return
    size, stride = tuple(layer.arguments["pool_size"]), tuple(layer.arguments["strides"])
    if size[0] != size[1] or stride[0] != stride[1] or (size[0], stride[0]) not in limits.max_pools:
        legal = ", ".join(f"{width}x{width} at stride {step}" for width, step in limits.max_pools)
        yield layer.fault(
            f"a {size[0]}x{size[1]} max pool at stride {stride[0]}",
            allowed=legal,
            rewrite="use a 2x2 max pool with stride 2, or a convolution with stride 2",
        )
    if not limits.pool_with_stride and tuple(conv.arguments["strides"]) != (1, 1):
        yield layer.fault(
            f"a max pool behind a convolution at stride {conv.arguments['strides'][0]}",
            allowed="a max pool behind a convolution at stride 1",
            rewrite="let the convolution or the pool halve the map, not both",
        )


def _is_padded_otherwise(layer: Layer, conv: Layer) -> bool:
    """cnn2snn wants the paddings of both to be equal; a 1x1 convolution has none and counts as ``same``."""
    padding = "same" if tuple(conv.arguments["kernel_size"]) == (1, 1) else conv.arguments["padding"]
    return bool(layer.arguments["padding"] != padding)


def global_pool_faults(layer: Layer, chain: LayerChain, table: GenerationTable) -> Iterator[Fault]:
    """A global average is part of its convolution, ahead of the ReLU or behind it."""
    if layer.kind != "GlobalAveragePooling2D":
        return
    yield from _extent_faults(layer, table)
    ahead = table.global_pool_order == "before"
    before, reader = chain.maker(layer), chain.only_reader(layer)
    if ahead and before is not None and before.kind == "ReLU":
        yield layer.fault(
            "a global pool behind the ReLU",
            allowed="convolution, global pool, ReLU",
            rewrite="pool before the ReLU, and train again from these weights",
        )
    elif ahead and (reader is None or reader.kind not in ("ReLU", UNKNOWN)):
        yield layer.fault(
            "a global pool without a ReLU behind it",
            allowed="convolution, global pool, ReLU",
            rewrite="put a ReLU with a bound behind the pool, and train again from these weights",
        )
    elif not ahead and reader is not None and reader.kind == "ReLU":
        yield layer.fault(
            "a global pool ahead of the ReLU",
            allowed="convolution, ReLU, global pool",
            rewrite="pool behind the ReLU, and train again from these weights",
        )
    yield from _block_faults(layer, chain, table)


def _extent_faults(layer: Layer, table: GenerationTable) -> Iterator[Fault]:
    rows, columns = layer.before[0].shape[:2]
    if rows * columns > table.pooled_positions.value:
        yield layer.fault(
            f"a global pool over {rows}x{columns} = {rows * columns} positions",
            allowed=f"at most {table.pooled_positions.value} positions",
            rewrite="use smaller images, or one more layer with stride 2",
        )
    if rows < table.pooled_rows.value:
        yield layer.fault(
            f"a global pool over {rows} rows",
            allowed=f"at least {table.pooled_rows.value} rows",
            rewrite="use larger images, or one layer with stride 2 less",
        )


def _block_faults(layer: Layer, chain: LayerChain, table: GenerationTable) -> Iterator[Fault]:
    conv = chain.block_head(layer, ["ReLU"])
    joins = (UNKNOWN,) if table.global_pool_order == "before" else (UNKNOWN, "Add", "Concatenate")
    if conv is not None and conv.kind in joins:
        return
    if conv is None or conv.kind not in CONVOLUTIONS:
        found = "the image" if conv is None else _name(conv)
        yield layer.fault(
            f"a global pool behind {found}",
            allowed="a global pool directly behind a convolution and its ReLU",
            rewrite="put a convolution with a ReLU ahead of the pool",
        )
        return
    kind: Kind = "stem" if chain.is_first(conv) else CONVOLUTIONS[conv.kind]
    limits = table.layers.get(kind)
    strided = tuple(conv.arguments["strides"]) != (1, 1) and not (limits is None or limits.pool_with_stride)
    if strided or (limits is not None and not limits.global_pool):
        which = "first" if kind == "stem" else "strided" if strided else kind
        yield layer.fault(
            f"a global pool on a {which} convolution",
            allowed="a global pool on a full convolution at stride 1, the first one aside",
            rewrite="put a 1x1 convolution with a ReLU ahead of the pool",
        )


def _name(layer: Layer) -> str:
    return {"Add": "an addition", "Concatenate": "a concatenation", "MaxPool2D": "a max pool"}.get(
        layer.kind, f"a {layer.kind}"
    )
