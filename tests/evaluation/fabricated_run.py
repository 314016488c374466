"""A small, fixed run to build reports from: seven classes, correlated lesions, six stages."""

import json
from dataclasses import replace
from datetime import datetime, timezone

import numpy as np

from qana.conversion.product import Conversion, LayerReport, MappingReport
from qana.dataset.audit import LeakageAudit, NearDuplicate
from qana.dataset.splits import External, ImageSet, Splits
from qana.dataset.table.offenders import Skipped
from qana.evaluation.report import BackboneInfo, QuantizationInfo, RunInfo

CLASSES = ("nv", "mel", "bkl", "bcc", "akiec", "vasc", "df")
SHARES = (0.55, 0.13, 0.12, 0.08, 0.05, 0.04, 0.03)
STAGES = ("float", "torch", "onnx", "keras", "quantized_keras", "akida")


def image_set(images: int, seed: int) -> ImageSet:
    rng = np.random.default_rng(seed)
    lesions = np.sort(rng.integers(0, max(images * 2 // 3, 1), images))
    of_lesion = rng.choice(len(CLASSES), size=lesions.max() + 1, p=SHARES)
    return ImageSet(
        images=rng.integers(0, 256, (images, 8, 10, 3), dtype=np.uint8),
        target=of_lesion[lesions].astype(np.int64),
        image_ids=tuple(f"IMG_{seed}_{i:05d}" for i in range(images)),
        lesion_ids=tuple(f"LES_{seed}_{i:05d}" for i in lesions),
        attributes=attributes(lesions, seed),
    )


def attributes(lesions: np.ndarray, seed: int) -> dict[str, np.ndarray]:
    """What is known of the person of each lesion; the dark tones and two localizations are rare."""
    rng = np.random.default_rng(seed + 100)
    count = lesions.max() + 1
    age = rng.integers(1, 18, count) * 5.0
    age[rng.random(count) < 0.02] = np.nan
    sex = rng.choice(["female", "male", "unknown"], count, p=[0.45, 0.54, 0.01])
    localization = rng.choice(["back", "lower extremity", "face", "acral"], count, p=[0.5, 0.3, 0.15, 0.05])
    tone = rng.choice(["very_light", "light", "intermediate", "dark"], count, p=[0.3, 0.45, 0.2, 0.05])
    known = {"age_years": age, "sex": sex, "localization": localization, "image_tone": tone}
    return {name: values[lesions] for name, values in known.items()}


def audit(other_split: str, pairs: int = 12) -> LeakageAudit:
    """No shared group, but photographs that were taken twice."""
    found = (
        NearDuplicate(f"IMG_1_{i:05d}", f"IMG_3_{i:05d}", "train", other_split, 2, i / 1000, False)
        for i in range(pairs)
    )
    return LeakageAudit(
        shared_groups=(),
        siblings={"val": 0, "test": 0},
        near_duplicates=tuple(found),
        max_hamming=10,
        max_pixel_distance=0.15,
    )


def splits(test_images: int = 400) -> Splits:
    return Splits(
        name="synthetic",
        classes=CLASSES,
        train=image_set(600, 1),
        val=image_set(200, 2),
        test=image_set(test_images, 3),
        fingerprint="0f" * 32,
        protocol="lesion",
        group_key="lesion_id",
        leaked_groups=0,
        folds=5,
        fold=0,
        split_hash="5a" * 32,
        split_file=json.dumps({"hash": "5a" * 32}).encode(),
        audit=audit("test"),
        preprocessing={"image_size": 8, "crop": "centre", "colour": "rgb"},
    )


def image_split(siblings: int = 37) -> Splits:
    """The same data split image by image: lesions on both sides."""
    leaky = replace(
        audit("test"), shared_groups=("LES_1_00003", "LES_1_00017"), siblings={"val": 5, "test": siblings}
    )
    return replace(splits(), protocol="image", leaked_groups=2, audit=leaky)


def external_splits() -> Splits:
    """With a second source that holds neither vasc nor df, and two files nobody can read."""
    images = image_set(150, 5)
    known = np.flatnonzero(images.target < 5)
    ids = np.asarray(images.image_ids)[known], np.asarray(images.lesion_ids)[known]
    external = External(
        name="isic2018",
        images=ImageSet(
            images.images[known], images.target[known], tuple(ids[0].tolist()), tuple(ids[1].tolist())
        ),
        fingerprint="e1" * 32,
        audit=replace(audit("external", pairs=3), siblings={"external": 1}, shared_images=("IMG_1_00004",)),
        skipped=(Skipped("files that cannot be read", ("ISIC_1 (truncated)", "ISIC_2 (empty)")),),
    )
    return replace(splits(), external=external)


def stage_logits(target: np.ndarray, seed: int = 0) -> dict[str, np.ndarray]:
    """Float is best; torch and what follows agree but for a few images; akida equals torch but for two."""
    rng = np.random.default_rng(seed)
    clean = rng.normal(size=(len(target), len(CLASSES)))
    clean[np.arange(len(target)), target] += 2.6
    torch = clean + rng.normal(scale=0.35, size=clean.shape)
    akida = torch.copy()
    akida[:2] = np.roll(akida[:2], 1, axis=1)
    stages = {
        "float": clean,
        "torch": torch,
        "onnx": torch,
        "keras": torch,
        "quantized_keras": torch,
        "akida": akida,
    }
    return {stage: values.astype(np.float32) for stage, values in stages.items()}


LAYER_COLUMNS = (
    "name", "kind", "output_shape", "macs", "weight_bytes", "nps", "input_sparsity", "output_sparsity",
    "max_error_lsb", "saturated_share", "dead_share", "headroom_bits",
)  # fmt: skip


def layers() -> tuple[LayerReport, ...]:
    """A v1 network at 64x64: strided input layer, separable layers with pooling and stride, dense head."""
    conv = "SeparableConvolutional"
    rows = [
        ("stem", "InputConvolutional", (32, 32, 16), 442_368, 432, 0, 0.02, 0.41, 0.0, 0.012, 0.0, 5.25),
        ("stage1_0", conv, (16, 16, 32), 671_744, 328, 2, 0.41, 0.55, 0.0, 0.004, 0.0625, 7.5),
        ("stage1_1", conv, (16, 16, 32), 335_872, 656, 1, 0.55, 0.61, 0.0, 0.002, 0.0, 8.75),
        ("stage2_0", conv, (8, 8, 64), 149_504, 1_168, 2, 0.61, 0.72, 1.0, 0.006, 0.125, 8.0),
        ("stage2_1", conv, (1, 1, 64), 299_008, 2_336, 4, 0.72, 0.33, 0.0, None, 0.0, 6.5),
        ("head", "FullyConnected", (1, 1, 7), 448, 224, 1, 0.33, 0.0, None, None, 0.0, None),
    ]
    return tuple(LayerReport(**dict(zip(LAYER_COLUMNS, row, strict=True))) for row in rows)


def mapping() -> MappingReport:
    """All layers in one pass; the input layer sits outside the mesh."""
    return MappingReport(
        device="AKD1000",
        sequences=1,
        passes=1,
        nps=10,
        program_bytes=30_720,
        hardware_only=True,
        nps_by_layer={layer.name: layer.nps for layer in layers()},
        components={layer.name: "CNP1" if layer.nps else "HRC" for layer in layers()},
        nps_available=78,
        sram_bytes=524_288,
        external_memory_bytes=0,
        advice=(),
        failure=None,
    )


def failed_mapping() -> MappingReport:
    """What is left of a mapper that died; every number is 0."""
    return MappingReport(
        device="TwoNodesIPv2",
        sequences=0,
        passes=0,
        nps=0,
        program_bytes=0,
        hardware_only=False,
        nps_by_layer={},
        components={},
        nps_available=None,
        sram_bytes=None,
        external_memory_bytes=None,
        advice=(
            "the mapper did not come to an end on TwoNodesIPv2: killed by SIGSEGV",
            "merge one at a time",
        ),
        failure="killed by SIGSEGV",
    )


def conversion(logits: dict[str, np.ndarray]) -> Conversion:
    return Conversion(
        target="akd1000",
        generation=1,
        logits={stage: logits[stage] for stage in STAGES[2:]},
        layers=layers(),
        mapping=mapping(),
        coverage=1.0,
        files={},
    )


def run_info() -> RunInfo:
    return RunInfo(
        id="3f2a9c",
        name="synthetic <qana> w4a4",
        config_hash="9c1b7d40",
        git_sha="62c0a47d" * 5,
        dirty=True,
        seed=7,
        started=datetime(2026, 1, 2, 3, 4, 5, tzinfo=timezone.utc).isoformat(),
        duration_s=183.4,
        status="FINISHED",
    )


def backbone_info() -> BackboneInfo:
    return BackboneInfo(name="qana", form="separable", parameters=109_000, macs=1_898_944)


def quantization_info() -> QuantizationInfo:
    return QuantizationInfo(weight_bits=4, activation_bits=4, input_weight_bits=8)
