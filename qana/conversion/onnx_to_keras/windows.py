"""Does a padded, strided window of ONNX sit where Keras puts it?"""

from __future__ import annotations

from collections.abc import Sequence

from qana.backbone.padding import same_padding

Pads = tuple[int, int, int, int]  # top, left, bottom, right


def chip_pads(shape: Sequence[int], size: Sequence[int], strides: Sequence[int]) -> Pads:
    """TensorFlow's ``same`` for a map (H, W, ...)."""
    (top, bottom), (left, right) = (
        same_padding(int(length), int(width), int(stride))
        for length, width, stride in zip(shape[:2], size, strides, strict=True)
    )
    return top, left, bottom, right


def convolution_padding(
    shape: Sequence[int], size: Sequence[int], strides: Sequence[int], pads: Sequence[int]
) -> str | None:
    """``same`` or ``valid`` where zeros around the map are exactly that; None where they are neither."""
    if tuple(pads) == chip_pads(shape, size, strides):
        return "same"
    return None if any(pads) else "valid"


def pool_padding(
    shape: Sequence[int],
    size: Sequence[int],
    strides: Sequence[int],
    pads: Sequence[int],
    *,
    ceil_mode: bool,
) -> str | None:
    """``same`` or ``valid`` where every window of a max pool starts where Keras starts it.

    What hangs over the edge does not count in a maximum, so pads behind the map only matter for how many
    windows there are.
    """
    found = [
        _windows(int(shape[axis]), size[axis], strides[axis], pads[axis], pads[axis + 2], ceil_mode)
        for axis in range(2)
    ]
    same = [
        (same_padding(int(shape[axis]), size[axis], strides[axis])[0], -(-int(shape[axis]) // strides[axis]))
        for axis in range(2)
    ]
    valid = [(0, (int(shape[axis]) - size[axis]) // strides[axis] + 1) for axis in range(2)]
    if found == same:
        return "same"
    return "valid" if found == valid else None


def _windows(
    length: int, size: int, stride: int, before: int, after: int, ceil_mode: bool
) -> tuple[int, int]:
    """Pads in front and number of windows along one axis."""
    room = length + before + after - size
    count = (-(-room // stride) if ceil_mode else room // stride) + 1
    if ceil_mode and (count - 1) * stride >= length + before:  # a window that would see nothing of the map
        count -= 1
    return before, count


def output_length(length: int, size: int, stride: int, padding: str) -> int:
    """Places of a window along one axis."""
    return -(-length // stride) if padding == "same" else (length - size) // stride + 1


def map_after(
    shape: Sequence[int], size: Sequence[int], strides: Sequence[int], padding: str, channels: int
) -> tuple[int, int, int]:
    """(H', W', channels) of a window over a map (H, W, ...)."""
    height, width = (output_length(shape[axis], size[axis], strides[axis], padding) for axis in range(2))
    return height, width, channels
