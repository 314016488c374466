"""The part of the page on the data: what it is, how it was split, and what the sides share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from qana.evaluation.page.markup import ABSENT, count, definitions, section, significant, table, tag, text

Report = Mapping[str, Any]
SIDES = {"train": "Training", "val": "Validation", "test": "Test"}
MAX_PAIRS_SHOWN = 10
MAX_NAMES_SHOWN = 20


def data(report: Report) -> str:
    """Class counts of every side, the split, the leakage audit, and what was left out."""
    found = report["dataset"]
    lead = "What the network was trained, chosen and tested on. The split is in split.json, with its hash."
    content = _counts(report) + _split(found)
    content += audit(found["audit"], "Leakage audit", groups_known=found["split"]["group_key"] is not None)
    content += skipped(found)
    return section("Data", content, lead)


def _counts(report: Report) -> str:
    found = report["dataset"]
    columns = {SIDES[side]: found["class_counts"][side] for side in SIDES}
    if "external_test" in report:
        columns["External test"] = report["external_test"]["class_counts"]
    rows = [[text(name), *(count(c[name]) for c in columns.values())] for name in found["classes"]]
    rows.append(["All", *(count(sum(c.values())) for c in columns.values())])
    return table(["Class", *columns], rows, caption="Images of each class")


def _split(found: Report) -> str:
    split, pixels = found["split"], found["preprocessing"]
    known = split["group_key"] is not None
    siblings = {side: count(number) if known else "not known" for side, number in split["siblings"].items()}
    return definitions(
        [
            ("Source", f"{text(found['name'])}, {tag('code', text(found['fingerprint'][:16]))}"),
            ("Split by", f"{text(split['protocol'])}{_fold(split)}"),
            ("Groups", text(split["group_key"] or "none known")),
            ("Split hash", tag("code", text(split["hash"][:16]))),
            ("Groups on both sides", count(split["leaked_groups"]) if known else "not known"),
            ("Test images with a sibling in training", siblings["test"]),
            ("Validation images with a sibling in training", siblings["val"]),
            ("Image size", f"{pixels['image_size']} x {pixels['image_size']} pixels"),
            ("Crop, colour", f"{text(pixels['crop'])}, {text(pixels['colour'])}"),
        ]
    )


def _fold(split: Report) -> str:
    return "" if split["folds"] is None else f", fold {split['fold']} of {split['folds']} (counted from 0)"


def audit(found: Report, title: str, *, groups_known: bool) -> str:
    """What two sides share: groups by name, near-duplicates by pixels.

    Where a side has no groups, none are shared by name, and that would say nothing.
    """
    groups, near = len(found["shared_groups"]), found["near_duplicates"]
    by_name = f"{count(groups)} groups are on both sides." if groups_known or groups else "Groups not known."
    verdict = (
        f"{by_name} {count(near)} pairs of images from two sides look like"
        f" one photograph: perceptual hashes at most {found['max_hamming']} bits apart, then pixels at most"
        f" {significant(found['max_pixel_distance'])} of the contrast apart."
    )
    return tag("h3", text(title)) + tag("p", text(verdict), class_="lead") + _pairs(found)


def _pairs(found: Report) -> str:
    pairs = found["pairs"][:MAX_PAIRS_SHOWN]
    if not pairs:
        return ""
    rows = [
        [
            f"{text(pair['first'])} {_side(pair['first_split'])}",
            f"{text(pair['second'])} {_side(pair['second_split'])}",
            {True: "yes", False: "no", None: "not known"}[pair["same_group"]],
            str(pair["hamming"]),
            significant(pair["pixel_distance"]),
        ]
        for pair in pairs
    ]
    caption = f"The closest {len(pairs)} of {count(found['near_duplicates'])}; all are in near_duplicates.csv"
    head = ["Image", "Near-duplicate", "Same group", "Hash bits", "Pixel distance"]
    return table(head, rows, caption=caption, numeric_from=2)


def _side(name: str) -> str:
    return tag("small", text(SIDES.get(name, name).lower()), class_="ci")


def skipped(found: Report) -> str:
    """What the run went on without; nothing where that is nothing."""
    if not found["skipped"]:
        return ""
    rows = [[text(kind["kind"]), count(kind["count"]), _names(kind["names"])] for kind in found["skipped"]]
    head = ["Left out", "Number", "Which"]
    return tag("h3", "Left out") + table(
        head, rows, caption="Images that the run went on without", numeric_from=9
    )


def _names(names: Sequence[str]) -> str:
    if not names:
        return ABSENT
    more = len(names) - MAX_NAMES_SHOWN
    shown = ", ".join(text(name) for name in names[:MAX_NAMES_SHOWN])
    return shown + (f" and {count(more)} more (report.json has all)" if more > 0 else "")
