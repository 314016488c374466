"""A resolved config as MLflow parameters: dotted keys, text values, nothing cut off."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from mlflow.utils.validation import MAX_PARAM_VAL_LENGTH


def flatten(config: Mapping[str, Any]) -> dict[str, str]:
    """Join nested keys with dots and write every value as text.

    Text stays as it is; numbers, booleans, nulls and lists become JSON, which is how YAML spells them.

    Example:
        >>> flatten({"training": {"epochs": 3, "logger": None}, "name": "first"})
        {'training.epochs': '3', 'training.logger': 'null', 'name': 'first'}
    """
    flat: dict[str, str] = {}
    for key, value in config.items():
        if isinstance(value, Mapping) and value:
            flat.update({f"{key}.{below}": text for below, text in flatten(value).items()})
        else:
            flat[str(key)] = value if isinstance(value, str) else json.dumps(value, default=str)
    return flat


def split_by_length(values: Mapping[str, str]) -> tuple[dict[str, str], dict[str, str]]:
    """Separate the values that MLflow takes whole from those that it would cut off without a word."""
    short = {key: text for key, text in values.items() if len(text) <= MAX_PARAM_VAL_LENGTH}
    return short, {key: text for key, text in values.items() if key not in short}
