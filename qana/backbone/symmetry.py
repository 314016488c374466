"""Weights shared between the turns and mirror images of a kernel: how a lesion lies cannot change its name.

A dermoscopic photograph has no up. If channels come in orbits, one channel for each turn (and mirror image)
of the same kernel, and every later layer keeps to that, all orientations of an image give the same logits
(group-equivariant convolutions, Cohen and Welling 2016, arXiv:1602.07576, eq. 10 and 11; on pathology slides
Veeling et al. 2018, arXiv:1806.03962). To the chip these are convolutions like any other.

Weights are held in full, as the chip stores them, and kept equal in training: gradients and norm statistics
are averaged over what is shared. AdamW's step does not depend on a gradient's scale, so that this trains the
shared weights. Channels are laid out as ``feature * order + element of the group``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache

import torch
from torch import Tensor, nn

from qana.backbone.unit import HeadUnit, Unit
from qana.errors import QanaError

# Elements of the group: quarter turns, and with "dihedral" those of the mirror image too.
ORDERS = {"none": 1, "rotations": 4, "dihedral": 8}


def moved(x: Tensor, element: int) -> Tensor:
    """(..., H, H), mirrored left to right if `element` is 4 or more, then turned `element` % 4 times."""
    return torch.rot90(x.flip(-1) if element >= 4 else x, element % 4, (-2, -1))


@dataclass(frozen=True)
class Shared:
    """Entries of one tensor that are to be equal.

    Attributes:
        tensor: a parameter, or a statistic of a norm.
        index: for each of its entries, which shared value it holds, (entries,).
        members: for each shared value, the entries that hold it, (values, order), lowest first.
    """

    tensor: Tensor
    index: Tensor
    members: Tensor

    def mean(self, like: Tensor) -> Tensor:
        """`like`, of the shape of `tensor`, with every entry the mean over those that it is shared with."""
        return like.flatten()[self.members].mean(1)[self.index].view_as(like)

    def first(self, like: Tensor) -> Tensor:
        """`like` with every entry that of the group's first element."""
        return like.flatten()[self.members[:, 0]][self.index].view_as(like)


@dataclass(frozen=True)
class Lopsided:
    """Images that would take its symmetry from a network: what is allowed instead, and how to get there."""

    found: str
    allowed: str
    fix: str


def lopsided(network: nn.Module, image_shape: tuple[int, int, int]) -> Lopsided | None:
    """Whether images (H, W, 3) are not square, or leave a row over in some max pool of a symmetric network.

    None where they do not, or where `network` was built without a symmetry, which takes all images.
    """
    height, width, _ = image_shape
    symmetry = getattr(network, "symmetry", "none")
    step = 2 ** sum(getattr(module, "pool", "none") == "max" for module in network.modules())
    if symmetry == "none" or (height == width and height % step == 0):
        return None
    return Lopsided(
        found=f"images of {height}x{width} for a network of symmetry {symmetry}",
        allowed=f"square images whose side is a multiple of {step}",
        fix=f"choose a dataset.image_size such as {4 * step}, or backbone.symmetry=none",
    )


def require_upright(network: nn.Module, image_shape: tuple[int, int, int]) -> None:
    """Refuse images on which a symmetric network would not be symmetric.

    Args:
        network: any; one without a symmetry takes all images.
        image_shape: (H, W, 3).

    Raises:
        QanaError: the images are not square, or some max pool would leave a row over.
    """
    fault = lopsided(network, image_shape)
    if fault is not None:
        raise QanaError(
            f"{fault.found}, which these would break: pools leave a row over at one side",
            where=f"backbone.symmetry = {getattr(network, 'symmetry', '')}, dataset.image_size",
            allowed=fault.allowed,
            fix=fault.fix,
        )


def units_of(network: nn.Module) -> list[Unit]:
    """The units of a network, stem first; of a quantized one those that its units hold."""
    return [module for module in network.modules() if isinstance(module, Unit)]


def shared_by(units: Iterable[Unit], symmetry: str) -> list[Shared]:
    """What orbits share in a chain of units, stem first: kernels, biases, norms and their statistics.

    Args:
        units: float, folded, or those that quantized units hold.
        symmetry: ``rotations`` or ``dihedral``; with ``none`` nothing is shared.
    """
    order = ORDERS[symmetry]
    if order == 1:
        return []
    found: list[Shared] = []
    for place, unit in enumerate(units):
        for conv in unit.weighted():
            lifts = place == 0 or conv.groups > 1
            rule = _same if isinstance(unit, HeadUnit) else _lifted if lifts else _between_orbits
            found.append(_shared(conv.weight, rule, order))
            if conv.bias is not None and not isinstance(unit, HeadUnit):
                found.append(_shared(conv.bias, _repeated, order))
        norm = unit.norm
        if isinstance(norm, nn.BatchNorm2d):
            held = (norm.weight, norm.bias, norm.running_mean, norm.running_var)
            found += [_shared(tensor, _repeated, order) for tensor in held if tensor is not None]
    return found


@torch.no_grad()
def begin_shared(units: Iterable[Unit], symmetry: str) -> None:
    """Give every orbit of untrained units the values of its first element."""
    for shared in shared_by(units, symmetry):
        shared.tensor.copy_(shared.first(shared.tensor))


@torch.no_grad()
def share_gradients(found: Iterable[Shared]) -> None:
    """Average gradients over what is shared, ahead of the optimizer's step."""
    for shared in found:
        if shared.tensor.grad is not None:
            shared.tensor.grad.copy_(shared.mean(shared.tensor.grad))


@torch.no_grad()
def share_values(found: Iterable[Shared]) -> None:
    """Average statistics over what is shared; take parameters, equal up to rounding, from the first."""
    for shared in found:
        equal = isinstance(shared.tensor, nn.Parameter)
        shared.tensor.copy_(shared.first(shared.tensor) if equal else shared.mean(shared.tensor))


Rule = Callable[[Tensor, int], Tensor]


def _shared(tensor: Tensor, rule: Rule, order: int) -> Shared:
    """Which entries are one: the rule, asked with numbered values."""
    shape = list(tensor.shape)
    if rule is _same:
        shape[1] //= order
    else:
        shape[0] //= order
    numbers = torch.arange(tensor.numel() // order).view(shape)
    index = rule(numbers, order).flatten()
    members = torch.argsort(index, stable=True).view(-1, order)
    return Shared(tensor, index.to(tensor.device), members.to(tensor.device))


def _lifted(base: Tensor, order: int) -> Tensor:
    """From pixels, or within a channel: W[(o, g), i] = g base[o, i]; (O / order, I, k, k) to (O, I, k, k)."""
    return torch.stack([moved(base, element) for element in range(order)], 1).flatten(0, 1)


def _between_orbits(base: Tensor, order: int) -> Tensor:
    """W[(o, g), (i, h)] = g base[o, (i, g^-1 h)]; (O / order, I, k, k) to (O, I, k, k)."""
    orbits = base.unflatten(1, (-1, order))
    turned = [moved(orbits[:, :, list(row)], element) for element, row in enumerate(quotients(order))]
    return torch.stack(turned, 1).flatten(2, 3).flatten(0, 1)


def _same(base: Tensor, order: int) -> Tensor:
    """Of the head: W[o, (i, h)] = base[o, i]; (O, I / order, 1, 1) to (O, I, 1, 1)."""
    return base.repeat_interleave(order, 1)


def _repeated(base: Tensor, order: int) -> Tensor:
    """One number for every orbit: (C / order,) to (C,)."""
    return base.repeat_interleave(order)


@cache
def quotients(order: int) -> tuple[tuple[int, ...], ...]:
    """g^-1 h for elements g (rows) and h (columns): what has to come before g to make h.

    Example:
        >>> quotients(4)
        ((0, 1, 2, 3), (3, 0, 1, 2), (2, 3, 0, 1), (1, 2, 3, 0))
    """
    seen = [moved(torch.arange(9).view(3, 3), element) for element in range(order)]
    table = [[0] * order for _ in range(order)]
    for first in range(order):
        for then in range(order):
            both = moved(seen[first], then)
            made = next(index for index, one in enumerate(seen) if torch.equal(one, both))
            table[then][made] = first
    return tuple(tuple(row) for row in table)
