"""What a target asks before any training: the SDK, sensible thresholds, legal bit-widths, legal layers."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping, Sequence

from qana.conversion.acceptance.verdict import Thresholds
from qana.conversion.capabilities import Offence
from qana.errors import QanaError, listed
from qana.quantization.scheme import Quantization

SDK_PACKAGES = ("akida", "cnn2snn", "quantizeml", "tf_keras", "onnx", "onnxruntime")


def require_sensible(name: str, thresholds: Thresholds, counts: Mapping[str, int]) -> None:
    """Refuse thresholds and counts of images that accept or refuse everything by themselves.

    Args:
        name: of the target.
        thresholds: of its acceptance.
        counts: argument name to images, at least 1.
    """
    shares = ("min_agreement", "max_saturated_share", "max_dead_share")
    wrong = {
        share: getattr(thresholds, share) for share in shares if not 0 <= getattr(thresholds, share) <= 1
    }
    wrong |= {count: value for count, value in counts.items() if value < 1}
    if not thresholds.max_error_lsb >= 0:
        wrong["max_error_lsb"] = thresholds.max_error_lsb
    if wrong:
        raise QanaError(
            f"target {name} cannot judge a program with {listed([f'{key} = {wrong[key]}' for key in wrong])}",
            where=", ".join(f"conversion.{key}" for key in wrong),
            allowed="shares from 0 to 1, counts of at least 1, an error of at least 0 last bits",
            fix="correct the values named above",
        )


def require_sdk(name: str) -> None:
    """Refuse a target where the Akida SDK is not installed."""
    missing = [package for package in SDK_PACKAGES if importlib.util.find_spec(package) is None]
    if missing:
        raise QanaError(
            f"target {name} needs the Akida SDK; not installed: {', '.join(missing)}",
            where=f"conversion.name = {name}",
            allowed="conversion=none without the SDK",
            fix="install the SDK (pip install akida cnn2snn quantizeml), or choose conversion=none",
        )


def require_bits(
    name: str,
    generation: int,
    bit_widths: Sequence[tuple[int, int]],
    quantization: Quantization | None,
) -> None:
    """Refuse a quantization that the target does not run.

    Args:
        name: of the target.
        generation: of the target.
        bit_widths: its legal (weight, activation) pairs.
        quantization: of the run, or None for a float network.
    """
    legal = ", ".join(f"w{weight}a{activation}" for weight, activation in bit_widths)
    if quantization is None:
        received = "a float network"
    else:
        pair = (quantization.weight_bits, quantization.activation_bits)
        if pair in bit_widths and quantization.generation == generation:
            return
        received = f"w{pair[0]}a{pair[1]} for Akida v{quantization.generation}"
    raise QanaError(
        f"target {name} does not run {received}",
        where=f"quantization, conversion.name = {name}",
        allowed=f"quantization to {legal}, generation {generation}",
        fix=f"choose quantization={legal.split(', ')[0]}, or another conversion",
    )


def refuse_offences(name: str, offences: Sequence[Offence]) -> None:
    """Tell every part of a network that the target does not run; do nothing where there is none."""
    if not offences:
        return
    named = [f"{offence.module}: {offence.found} ({offence.rewrite})" for offence in offences]
    raise QanaError(
        f"target {name} does not run {len(offences)} part(s) of the network: {listed(named)}",
        where=f"backbone, conversion.name = {name}",
        allowed="; ".join(dict.fromkeys(offence.allowed for offence in offences)),
        fix="leave backbone.form to the target, or rewrite each layer as said behind it",
    )
