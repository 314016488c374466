"""Takes each job of `qana check` from its config to a verdict."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from hydra.utils import instantiate

from qana.backbone.complexity import FLOAT_BITS, LayerComplexity, complexity, layer_complexity
from qana.backbone.network import Network
from qana.command.outcome import DONE, FAILED, USER_ERROR
from qana.conversion.capabilities import Offence
from qana.conversion.child import ConversionError
from qana.conversion.dry_run import LOG, DryRun, dry_run
from qana.conversion.rehearsal import how, last_words
from qana.conversion.target import AkidaTarget, NoTarget
from qana.errors import QanaError
from qana.quantization.scheme import Quantization

CRASHED = "(the SDK)"  # the place of an offence that killed the converter


@dataclass(frozen=True)
class Verdict:
    """What `qana check` found about one job.

    Attributes:
        name: of the run it would be.
        overrides: the part of the command line that makes this job, or "" for the only one.
        target: name of the chip.
        device: what the program is mapped on, or "" without a chip.
        generation: of Akida, whose arithmetic is followed.
        form: of the network.
        image_shape: (H, W, 3).
        bits: such as ``w4a4``, or ``float``.
        parameters: trainable; None where the network does not run.
        macs: for one image, likewise.
        layers: what each layer of the network costs; empty where it does not run.
        attention_form: of the network; "" where it has none.
        offences: what the chip does not run; empty where all is well.
        crashed: whether the SDK broke, so that nothing is known.
        dry_run: the mapped program; None where there is none.
        risks: what may be refused once the network is trained.
    """

    name: str
    overrides: str
    target: str
    device: str
    generation: int
    form: str
    image_shape: tuple[int, int, int]
    bits: str
    parameters: int | None = None
    macs: int | None = None
    layers: tuple[LayerComplexity, ...] = ()
    attention_form: str = ""
    offences: tuple[Offence, ...] = ()
    crashed: bool = False
    dry_run: DryRun | None = None
    risks: tuple[Offence, ...] = ()

    @property
    def passed(self) -> bool:
        return not self.offences and not self.crashed


def check_jobs(jobs: Sequence[tuple[str, dict[str, Any]]]) -> list[Verdict]:
    """Check every job; jobs that differ in nothing that matters to a chip are checked once.

    Args:
        jobs: overrides of each job of a sweep ("" for the only one) and its resolved config.

    Raises:
        QanaError: a stage cannot be built.
    """
    known: dict[str, Verdict] = {}
    for _, config in jobs:
        key = _what_matters(config)
        if key not in known:
            known[key] = _check(config)
    return [
        replace(known[_what_matters(config)], name=config["name"], overrides=overrides)
        for overrides, config in jobs
    ]


def exit_code(verdicts: list[Verdict]) -> int:
    """1 before 2 before 0, as for the jobs of a sweep."""
    if any(verdict.crashed for verdict in verdicts):
        return FAILED
    return DONE if all(verdict.passed for verdict in verdicts) else USER_ERROR


def _what_matters(config: dict[str, Any]) -> str:
    """The settings that decide: seeds, folds, data folders and the like do not."""
    dataset = {key: config["dataset"].get(key) for key in ("_target_", "image_size", "class_names")}
    stages = {group: config.get(group) for group in ("backbone", "quantization", "conversion", "incremental")}
    return json.dumps([dataset, stages], sort_keys=True)


def _check(config: dict[str, Any]) -> Verdict:
    torch.manual_seed(config["seed"])
    source = instantiate(config["dataset"])
    network = instantiate(config["backbone"], num_classes=len(source.classes))
    quantization, target = instantiate(config["quantization"]), instantiate(config["conversion"])
    verdict = Verdict(
        name=config["name"],
        overrides="",
        target=target.name,
        device=_device(target),
        generation=target.generation,
        form=getattr(network, "form", "unknown"),
        image_shape=source.image_shape,
        bits=_bits(quantization),
        attention_form=getattr(network, "attention_form", ""),
    )
    offences = (
        *_offences(target, network, quantization, source.image_shape),
        *_learning_offences(config, target, quantization),
    )
    if offences:
        return replace(verdict, offences=offences)
    size = complexity(network, source.image_shape)
    bits = quantization.activation_bits if quantization is not None else FLOAT_BITS
    layers = layer_complexity(network, source.image_shape, bits)
    verdict = replace(verdict, parameters=size.parameters, macs=size.macs, layers=layers)
    return _tried(verdict, target, network, quantization) if isinstance(target, AkidaTarget) else verdict


def _offences(
    target: AkidaTarget | NoTarget,
    network: Network,
    quantization: Quantization | None,
    image_shape: tuple[int, int, int],
) -> Iterator[Offence]:
    """Everything that the target refuses, settings first, then modules in network order."""
    try:
        target.check(network, quantization, image_shape)
    except QanaError as refusal:
        modules = (
            target.capabilities_at(quantization).offences(network, image_shape)
            if isinstance(target, AkidaTarget)
            else []
        )
        if not any(offence.module in refusal.what for offence in modules):
            yield _as_offence(refusal)
        yield from modules


def _learning_offences(
    config: dict[str, Any], target: AkidaTarget | NoTarget, quantization: Quantization | None
) -> Iterator[Offence]:
    """What the chip could not learn afterwards; nothing where it need not."""
    if not config.get("incremental"):
        return
    try:
        instantiate(config["incremental"]).check(target, quantization)
    except QanaError as refusal:
        yield _as_offence(refusal)


def _tried(verdict: Verdict, target: AkidaTarget, network: Network, quantization: Quantization) -> Verdict:
    with tempfile.TemporaryDirectory(prefix="qana-check-log-") as name:
        folder = Path(name)
        try:
            tried = dry_run(target, network, quantization, verdict.image_shape, folder)
        except QanaError as refusal:
            return replace(verdict, offences=(_as_offence(refusal),))
        except ConversionError as crash:
            return replace(verdict, crashed=True, offences=(_as_crash(crash, target, folder / LOG),))
    risks = target.capabilities_at(quantization).risks(network, verdict.image_shape)
    return replace(verdict, dry_run=tried, risks=tuple(risks))


def _as_offence(refusal: QanaError) -> Offence:
    return Offence(module=refusal.where, found=refusal.what, allowed=refusal.allowed, rewrite=refusal.fix)


def _as_crash(crash: ConversionError, target: AkidaTarget, log: Path) -> Offence:
    limits = target.limits
    return Offence(
        module=CRASHED,
        found=f"{how(crash)}; its last words: {last_words(log)}",
        allowed=f"an end within {limits.timeout_s:g} s and {limits.memory_gib:g} GiB",
        rewrite="choose another conversion or device, or take the network apart until it maps",
    )


def _device(target: AkidaTarget | NoTarget) -> str:
    return target.device if isinstance(target, AkidaTarget) else ""


def _bits(quantization: Quantization | None) -> str:
    return "float" if quantization is None else f"w{quantization.weight_bits}a{quantization.activation_bits}"
