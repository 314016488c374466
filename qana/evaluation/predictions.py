"""predictions.parquet: one row per test image and stage, enough to recompute every metric and stratum."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from qana.dataset.splits import ImageSet
from qana.evaluation.stages import in_ladder_order

SCHEMA = pa.schema(
    [
        ("image_id", pa.string()),
        ("lesion_id", pa.string()),
        ("stage", pa.string()),
        ("target", pa.int64()),
        ("target_name", pa.string()),
        ("logits", pa.list_(pa.float32())),
    ]
)
# Present where the source knows them.
ATTRIBUTES = {
    "age_years": pa.float64(),
    "sex": pa.string(),
    "localization": pa.string(),
    "image_tone": pa.string(),
}
_CLASSES_KEY = b"classes"


@dataclass(frozen=True)
class Predictions:
    """What every stage said about the test images.

    Attributes:
        classes: C class names.
        image_ids: N names, in the order of the rows of every stage.
        lesion_ids: N group names.
        target: (N,) int64.
        stage_logits: stage to (N, C) float32, from float to akida.
        attributes: as in `ImageSet`; only those that the source knows.
    """

    classes: tuple[str, ...]
    image_ids: tuple[str, ...]
    lesion_ids: tuple[str, ...]
    target: NDArray[np.int64]
    stage_logits: Mapping[str, NDArray[np.float32]]
    attributes: Mapping[str, NDArray[Any]]


def predictions_of(
    image_set: ImageSet, classes: tuple[str, ...], stage_logits: Mapping[str, NDArray[np.float32]]
) -> Predictions:
    """Put the logits of all stages beside their images, in ladder order."""
    ordered = {stage: stage_logits[stage] for stage in in_ladder_order(stage_logits)}
    known = {name: image_set.attributes[name] for name in ATTRIBUTES if name in image_set.attributes}
    return Predictions(
        tuple(classes), image_set.image_ids, image_set.lesion_ids, image_set.target, ordered, known
    )


def write_predictions(
    path: Path,
    image_set: ImageSet,
    classes: tuple[str, ...],
    stage_logits: Mapping[str, NDArray[np.float32]],
) -> None:
    """Write one row per test image and stage; the class names are in the file's metadata too.

    Args:
        path: the parquet file; replaced as a whole.
        image_set: the N test images.
        classes: C class names.
        stage_logits: stage to (N, C) float32.

    Raises:
        ValueError: a stage is unknown, or its logits do not belong to these images and classes.
    """
    said = predictions_of(image_set, classes, stage_logits)
    expected = (len(image_set), len(classes))
    misshapen = {
        stage: logits.shape for stage, logits in said.stage_logits.items() if logits.shape != expected
    }
    if misshapen:
        raise ValueError(f"logits of shape {misshapen} do not describe {expected} images and classes")
    fields = [pa.field(name, ATTRIBUTES[name]) for name in said.attributes]
    metadata = {_CLASSES_KEY: json.dumps(said.classes).encode()}
    schema = pa.schema([*SCHEMA, *fields], metadata=metadata)
    batches = [_stage_table(said, stage, schema) for stage in said.stage_logits]
    partial = path.with_name(f".{path.name}.partial")
    pq.write_table(pa.concat_tables(batches), partial)
    os.replace(partial, path)


def _stage_table(said: Predictions, stage: str, schema: pa.Schema) -> pa.Table:
    columns = {
        "image_id": said.image_ids,
        "lesion_id": said.lesion_ids,
        "stage": [stage] * len(said.target),
        "target": said.target,
        "target_name": [said.classes[label] for label in said.target],
        "logits": list(said.stage_logits[stage].astype(np.float32)),
        **{name: _column(name, values) for name, values in said.attributes.items()},
    }
    return pa.table(columns, schema=schema)


def _column(name: str, values: NDArray[Any]) -> pa.Array:
    """An attribute for the file; an unknown age is null there."""
    return pa.array(values.tolist(), type=ATTRIBUTES[name], from_pandas=True)


def read_predictions(path: Path) -> Predictions:
    """Read back what `write_predictions` wrote."""
    table = pq.read_table(path)
    classes = tuple(json.loads(table.schema.metadata[_CLASSES_KEY]))
    stages = np.asarray(table["stage"].to_pylist())
    rows = {stage: np.flatnonzero(stages == stage) for stage in in_ladder_order(set(stages.tolist()))}
    logits = np.asarray(table["logits"].to_pylist(), dtype=np.float32)
    first = table.take(next(iter(rows.values())))
    return Predictions(
        classes=classes,
        image_ids=tuple(first["image_id"].to_pylist()),
        lesion_ids=tuple(first["lesion_id"].to_pylist()),
        target=np.asarray(first["target"].to_pylist(), dtype=np.int64),
        stage_logits={stage: logits[index] for stage, index in rows.items()},
        attributes={
            name: first[name].to_pandas().to_numpy() for name in ATTRIBUTES if name in first.column_names
        },
    )
