"""The two forms of a network, and the one block that most of them share: a separable convolution in either.

Akida v1 runs a depthwise and a pointwise convolution as one layer with nothing between them, and pools ahead
of the activation. Akida v2 runs them as two layers and pools behind it; at 4 bits each wants a ReLU.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn

from qana.backbone.unit import ConvUnit, Pool, SeparableUnit
from qana.errors import QanaError

FORMS = ("separable", "concat")


def global_pool(form: str) -> Pool:
    """The global average pool of `form`: ahead of the ReLU on Akida v1, behind it on v2."""
    return "global_before_relu" if form == "separable" else "global_after_relu"


def separable_convolution(
    in_channels: int,
    out_channels: int,
    *,
    form: str,
    stride: int,
    pooled: bool,
    bound: float,
    gate: nn.Module | None = None,
) -> list[nn.Module]:
    """A 3x3 depthwise convolution, then a 1x1 one (Howard et al. 2017, arXiv:1704.04861, section 3.1).

    y[n] = sum over m of P[n, m] (D[m] * x[m]); on Akida v2 with a ReLU (and a norm) also behind D, as in the
    paper, on v1 without, so that the two forms are not equal networks.

    Args:
        in_channels: m; (N, m, H, W) in.
        out_channels: n; (N, n, ceil(H / stride), ceil(W / stride)) out.
        form: ``separable`` for one unit, ``concat`` for two.
        stride: of the depthwise convolution.
        pooled: whether a global average follows; then (N, n, 1, 1) out.
        bound: of every ReLU.
        gate: channel attention on the output, or None.
    """
    pool: Pool = global_pool(form) if pooled else "none"
    if form == "separable":
        return [SeparableUnit(in_channels, out_channels, stride=stride, pool=pool, bound=bound, gate=gate)]
    return [
        ConvUnit(in_channels, in_channels, kernel_size=3, stride=stride, depthwise=True, bound=bound),
        ConvUnit(in_channels, out_channels, kernel_size=1, pool=pool, bound=bound, gate=gate),
    ]


def scaled(width: int, multiplier: float) -> int:
    """A width times MobileNet's alpha (Howard et al. 2017, section 3.3), to the nearest whole number above 0.

    Example:
        >>> scaled(48, 0.25)
        12
        >>> scaled(48, 1.0)
        48
    """
    return max(round(width * multiplier), 1)


def require_buildable(
    family: str, form: str, *, keys: Sequence[str], faults: Sequence[str], allowed: str
) -> None:
    """Refuse a network that cannot be built.

    Args:
        family: how the network is called in the message.
        form: as received; an unknown one is a fault too.
        keys: of ``backbone`` that the faults may come from, ``form`` aside.
        faults: one phrase for each.
        allowed: what `keys` may be.

    Raises:
        QanaError: names all faults at once.
    """
    found = [*([] if form in FORMS else [f"unknown form {form!r}"]), *faults]
    if found:
        raise QanaError(
            f"{family} cannot be built: {', '.join(found)}",
            where=f"backbone: form, {', '.join(keys)}",
            allowed=f"form one of {', '.join(FORMS)}; {allowed}",
            fix="correct the values named above; leave backbone.form to the conversion target",
        )
