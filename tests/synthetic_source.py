"""The drawn source as conf/dataset/synthetic.yaml has it, with changes."""

from typing import Any

from qana.dataset import SyntheticDermoscopy

DEFAULT = {
    "images": 2000,
    "max_images_per_lesion": 3,
    "image_size": 64,
    "crop": "none",
    "colour": "rgb",
    "protocol": "lesion",
    "folds": 5,
    "fold": 0,
    "val_fraction": 0.1,
    "split_file": None,
    "on_error": "raise",
    "cache_dir": None,
    "external_test": None,
    "seed": 0,
}


def synthetic(**changes: Any) -> SyntheticDermoscopy:
    return SyntheticDermoscopy(**{**DEFAULT, **changes})
