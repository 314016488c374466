"""The sides of a split as MLflow dataset inputs: named, fingerprinted and counted, without the images."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from mlflow.data.code_dataset_source import CodeDatasetSource
from mlflow.entities import Dataset, DatasetInput, InputTag
from mlflow.utils.mlflow_tags import MLFLOW_DATASET_CONTEXT

if TYPE_CHECKING:
    from qana.dataset.splits import ImageSet, Splits

CONTEXTS = {"train": "training", "val": "validation", "test": "test"}
EXTERNAL_CONTEXT = "external test"
DIGEST_LENGTH = 16  # MLflow takes 36 characters, but its list of datasets cuts the context off behind them


def dataset_inputs(splits: Splits) -> list[DatasetInput]:
    """Describe training, validation and test images, and the external ones where there are any.

    The digest covers the data, the split, the side and the preprocessing, so that equal digests mean equal
    pixels and labels. MLflow keeps one entry per name and digest; runs on the same data then share it.
    """
    sides = {"train": splits.train, "val": splits.val, "test": splits.test}
    inputs = []
    for side, images in sides.items():
        made_from = {**_origin(splits), "split_hash": splits.split_hash, "side": side}
        inputs.append(_input(splits.name, images, splits, made_from, CONTEXTS[side]))
    external = splits.external
    if external is not None:
        made_from = {**_origin(splits), "dataset": external.name, "fingerprint": external.fingerprint}
        made_from["side"] = "external_test"
        inputs.append(_input(external.name, external.images, splits, made_from, EXTERNAL_CONTEXT))
    return inputs


def _origin(splits: Splits) -> dict[str, Any]:
    return {
        "dataset": splits.name,
        "fingerprint": splits.fingerprint,
        "preprocessing": dict(splits.preprocessing),
    }


def _input(
    name: str, images: ImageSet, splits: Splits, made_from: Mapping[str, Any], context: str
) -> DatasetInput:
    # The pixels are made by code from files that lie somewhere else on every machine: what identifies them
    # is the fingerprint, not a path.
    source = CodeDatasetSource(tags=dict(made_from))
    dataset = Dataset(
        name=name,
        digest=_digest(made_from),
        source_type=source._get_source_type(),
        source=source.to_json(),
        schema=json.dumps({"mlflow_colspec": _columns(images, splits.group_key)}),
        profile=json.dumps(_profile(images, splits, made_from)),
    )
    return DatasetInput(dataset, tags=[InputTag(MLFLOW_DATASET_CONTEXT, context)])


def _digest(made_from: Mapping[str, Any]) -> str:
    text = json.dumps(made_from, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:DIGEST_LENGTH]


def _profile(images: ImageSet, splits: Splits, made_from: Mapping[str, Any]) -> dict[str, Any]:
    """What the UI lists beside a dataset, one line per entry."""
    height, width, channels = images.images.shape[1:]
    counts = np.bincount(images.target, minlength=len(splits.classes)).tolist()
    return {
        "images": len(images),
        "groups": len(set(images.lesion_ids)),
        **{f"class_{name}": count for name, count in zip(splits.classes, counts, strict=True)},
        "pixels": f"{height} x {width} x {channels} uint8",
        **{name: made_from[name] for name in ("fingerprint", "split_hash") if name in made_from},
    }


def _columns(images: ImageSet, group_key: str | None) -> list[dict[str, Any]]:
    """Columns of the table beside the images, as MLflow spells a schema."""
    columns = {"image_id": "string", "target": "long"}
    if group_key is not None:
        columns[group_key] = "string"
    for name, values in images.attributes.items():
        columns[name] = "double" if np.issubdtype(np.asarray(values).dtype, np.floating) else "string"
    return [{"type": kind, "name": name, "required": True} for name, kind in columns.items()]
