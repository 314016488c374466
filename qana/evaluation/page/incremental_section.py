"""The part of the page on incremental learning: the curve, the matrix, and what it costs to keep."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from qana.evaluation.page.incremental_chart import forgetting_chart, session_chart
from qana.evaluation.page.markup import (
    ABSENT,
    count,
    definitions,
    percent,
    section,
    signed_points,
    significant,
    small,
    table,
    tag,
    text,
)

Report = Mapping[str, Any]
_HEAD = (
    "Session", "Images", "Lesions", "Classes seen", "Accuracy", "Macro F1", "Refused", "Kept, bytes",
    "Host, ms",
)  # fmt: skip


def incremental(report: Report) -> str:
    """Sessions, transfer and recalls; nothing for a run that did not go on learning."""
    block = report.get("incremental")
    if block is None or "sessions" not in block:
        return ""
    names = session_names(block)
    drawings = tag("div", session_chart(block["sessions"], names), class_="scroll")
    matrix = tag("figure", tag("figcaption", "What is left") + forgetting_chart(block["matrix"], names))
    content = drawings + tag("div", matrix + _facts(block), class_="figures")
    content += _sessions(block, names) + _classes(block)
    return section("Learning after deployment", content, _lead(report, block))


def session_names(block: Report) -> list[str]:
    """What a session is called: its own name where all courses have the same order."""
    orders: Sequence[Sequence[str]] = block["orders"]
    if all(order == orders[0] for order in orders):
        return list(orders[0])
    return ["base", *(f"session {place}" for place in range(1, len(orders[0])))]


def _lead(report: Report, block: Report) -> str:
    where = "in the chip's own learning layer" if block["on_chip"] else "in a head held beside the program"
    courses = len(block["seeds"])
    saw = block["features_saw"]
    warning = (
        "" if saw == "the base session" else " So its features already know what the later sessions bring."
    )
    return (
        f"{block['method']} learns session by session {where}, under the protocol"
        f" {block['protocol']['name']}; means of {courses} order{'s' if courses > 1 else ''}. The network was"
        f" trained on the images of {saw}.{warning} Scores are over the test images of all classes seen by"
        f" then; test lesions are drawn for the intervals of {report['dataset']['name']}."
    )


def _facts(block: Report) -> str:
    update, energy = block["update"], block["energy_mj"]
    return definitions(
        [
            ("Forgetting, points", _points(block["forgetting"])),
            ("Backward transfer, points", _points(block["backward_transfer"])),
            ("Forward transfer, points", _points(block["forward_transfer"])),
            ("Kept between updates", f"{count(update['stored_bytes'])} B"),
            ("Update on this host", f"{significant(update['host_ms_per_image'])} ms for an image, measured"),
            ("Energy of an inference", _energy(energy)),
        ]
    )


def _energy(energy: Report | None) -> str:
    if energy is None or energy.get("value") is None:
        return ABSENT
    return f"{significant(energy['value'])} mJ, {text(energy['provenance'])}; the update itself is not in it"


def _points(found: Report | None) -> str:
    if found is None:
        return ABSENT
    low, high = found["ci95"]
    return f"{signed_points(found['value'])}{small(f'{signed_points(low)} to {signed_points(high)}')}"


def _score(found: Report | None) -> str:
    if found is None:
        return ABSENT
    low, high = found["ci95"]
    return f"{percent(found['value'])}{small(f'{percent(low)} to {percent(high)}')}"


def _sessions(block: Report, names: Sequence[str]) -> str:
    rows = [
        [
            text(name),
            *(count(session[key]) for key in ("images", "lesions", "classes_seen")),
            _score(session["accuracy"]),
            _score(session["macro_f1"]),
            f"{session['refused']} of {len(block['seeds'])}",
            count(session["stored_bytes"]),
            significant(session["host_update_ms"]),
        ]
        for name, session in zip(names, block["sessions"], strict=True)
    ]
    margin = block["max_drop"]
    rule = "no update was refused by rule" if margin is None else (
        f"an update that lowers the validation macro F1 of known classes by more than {margin:g} is refused"
    )  # fmt: skip
    return table(_HEAD, rows, caption=f"Sessions, with 95 % intervals; {rule}")


def _classes(block: Report) -> str:
    rows = [
        [text(name), count(row["support"]), _score(row["recall_first"]), _score(row["recall_last"])]
        for name, row in block["per_class"].items()
    ]
    head = ["Class", "Test images", "Recall when it had come", "Recall at the end"]
    return table(head, rows, caption="Recall by class, rarest first")
