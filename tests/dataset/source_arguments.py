"""What every source needs beside its own arguments."""

SOURCE_ARGUMENTS = {
    "image_size": 16,
    "crop": "centre",
    "colour": "rgb",
    "protocol": "lesion",
    "folds": 5,
    "fold": 0,
    "val_fraction": 0.2,
    "seed": 0,
    "split_file": None,
    "on_error": "raise",
    "cache_dir": None,
    "external_test": None,
}


def skipped_names(splits):
    """Kind to names of what a run went on without."""
    return {skipped.kind: skipped.names for skipped in splits.skipped}


def images_by_id(splits):
    """Image id to its pixels, class name and group, over all sides."""
    return {
        name: (image, splits.classes[label], group)
        for part in (splits.train, splits.val, splits.test)
        for image, label, name, group in zip(
            part.images, part.target, part.image_ids, part.lesion_ids, strict=True
        )
    }
