"""What a target says about one torch convolution: kernel, stride, dilation, groups, padding, channels."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import nn

from qana.backbone.padding import SameConv2d, same_padding
from qana.conversion.capabilities.offence import Offence
from qana.conversion.capabilities.table import LayerTable

SAME_PADDING = "padding `same`: as many zeros before as after; at stride 2 on even sizes 0 before, 1 after"


@dataclass(frozen=True)
class Found:
    """A fault of a module whose path is not known yet."""

    found: str
    rewrite: str
    allowed: str

    def at(self, path: str) -> Offence:
        """The offence at `path`."""
        return Offence(path, self.found, self.rewrite, self.allowed)


def convolution_faults(
    conv: nn.Conv2d, table: LayerTable, shape: torch.Size | None, *, copies: int = 1
) -> Iterator[Found]:
    """Everything about `conv` that `table` does not allow.

    Args:
        conv: any 2-d convolution.
        table: of the layer it becomes.
        shape: of its input, (1, C, H, W), or None where the network did not get that far.
        copies: how often the program holds every input channel.
    """
    yield from _kernel_faults(conv, table)
    if _pair(conv.dilation) != (1, 1):
        yield Found(
            f"a dilated convolution (dilation {_one(conv.dilation)})",
            "use a larger kernel, or a second convolution, at dilation 1",
            "dilation 1",
        )
    if conv.groups not in (1, conv.in_channels):
        yield Found(
            f"a grouped convolution ({conv.groups} groups)",
            "use one group, or one per channel",
            "a full convolution, or a depthwise one",
        )
    yield from _channel_faults(conv, table, copies)
    yield from padding_faults(conv, shape)


def padding_faults(conv: nn.Conv2d, shape: torch.Size | None) -> Iterator[Found]:
    """Zeros where the chip puts none; the SDK swaps them for its own without a word."""
    if isinstance(conv, SameConv2d) or shape is None or len(shape) != 4:
        return
    if conv.padding_mode != "zeros":
        yield Found(f"a padding of mode {conv.padding_mode!r}", "use SameConv2d", "zeros")
    kernel, stride = _pair(conv.kernel_size), _pair(conv.stride)
    wanted = [same_padding(int(shape[2 + axis]), kernel[axis], stride[axis]) for axis in (0, 1)]
    given = _zeros(conv)
    if given != wanted:
        axis = int(given[0] == wanted[0])  # the first that differs
        before, after = given[axis]
        yield Found(
            f"a padding of {before} before and {after} after at stride {stride[0]} on {_size(shape)}",
            "use SameConv2d (or a ConvUnit), which pads as the chip does",
            f"{SAME_PADDING}; here {wanted[axis][0]} before and {wanted[axis][1]} after",
        )


def _kernel_faults(conv: nn.Conv2d, table: LayerTable) -> Iterator[Found]:
    kernel, stride = _pair(conv.kernel_size), _pair(conv.stride)
    found = f"a {kernel[0]}x{kernel[1]} kernel at stride {_one(stride)}"
    if kernel[0] != kernel[1] or stride[0] != stride[1]:
        yield Found(found, "use a square kernel and one stride", "square kernels, equal strides")
    elif stride[0] not in table.strides.get(kernel[0], ()):
        allowed = ", ".join(
            f"{size}x{size} at stride {' or '.join(map(str, strides))}"
            for size, strides in table.strides.items()
        )
        yield Found(found, _other_kernel(table), allowed)


def _other_kernel(table: LayerTable) -> str:
    largest = max(table.strides, key=lambda size: (len(table.strides[size]), size == 3))
    return f"use {largest}x{largest} at stride {' or '.join(map(str, table.strides[largest]))}"


def _channel_faults(conv: nn.Conv2d, table: LayerTable, copies: int) -> Iterator[Found]:
    kernel, channels = _pair(conv.kernel_size)[0], conv.in_channels * copies
    # Weights of fewer bits take less room: what not even they allow is refused.
    limits = [by_kernel[kernel].value for by_kernel in table.fan_in.values() if kernel in by_kernel]
    if limits and channels > max(limits):
        yield Found(
            f"{channels} input channels under a {kernel}x{kernel} kernel",
            f"use at most {max(limits)}: narrower, or a smaller kernel",
            f"filters that fit one neural processor: at most {max(limits)} channels",
        )


def _zeros(conv: nn.Conv2d) -> list[tuple[int, int]]:
    """(before, after) on rows and columns, as torch pads."""
    if isinstance(conv.padding, str):
        kernel = _pair(conv.kernel_size)
        spare = [0 if conv.padding == "valid" else size - 1 for size in kernel]
        return [(total // 2, total - total // 2) for total in spare]
    return [(int(zeros), int(zeros)) for zeros in _pair(conv.padding)]


def _pair(value: int | Sequence[int]) -> tuple[int, int]:
    return (int(value), int(value)) if isinstance(value, int) else (int(value[0]), int(value[1]))


def _one(value: int | Sequence[int]) -> str:
    first, second = _pair(value)
    return str(first) if first == second else f"{first}x{second}"


def _size(shape: torch.Size) -> str:
    return f"{shape[2]}x{shape[3]}"
