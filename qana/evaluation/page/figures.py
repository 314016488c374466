"""The drawings of the page as files of their own, which MLflow shows among the artifacts of a run."""

from __future__ import annotations

import re
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

from qana.evaluation.files import write_text_atomically
from qana.evaluation.page.answer_section import confusion_drawing, reliability_drawing
from qana.evaluation.page.charts import ladder_chart
from qana.evaluation.page.damage_section import damage_drawing
from qana.evaluation.page.incremental_chart import forgetting_chart, session_chart
from qana.evaluation.page.incremental_section import session_names
from qana.evaluation.predictions import Predictions

FOLDER = "figures"
_DARK = re.compile(r"@media \(prefers-color-scheme: dark\) \{.*?\n\}\n", re.DOTALL)
_FONT = "svg { font-family: system-ui, 'DejaVu Sans', sans-serif; background: var(--panel); }"
_VIEW = re.compile(r'viewBox="0 0 ([0-9.]+) ([0-9.]+)"')


def write_figures(folder: Path, report: Mapping[str, Any], said: Predictions) -> None:
    """Write ``figures/NAME.svg`` below the folder of a run.

    They are the ladder, a confusion matrix for every stage, the reliability diagram, the damage by class,
    and, where the run went on learning, its sessions and what was forgotten.

    Args:
        folder: of the run.
        report: follows the contract.
        said: logits of every stage.
    """
    (folder / FOLDER).mkdir(exist_ok=True)
    for name, drawing in _drawings(report, said).items():
        write_text_atomically(folder / FOLDER / f"{name}.svg", standalone(drawing))


def standalone(drawing: str) -> str:
    """A drawing of the page with its size and its colours; always light, as MLflow's own charts are."""
    style = _DARK.sub("", files("qana.evaluation.page").joinpath("style.css").read_text(encoding="utf-8"))
    found = _VIEW.search(drawing)
    assert found is not None
    opening = f'<svg xmlns="http://www.w3.org/2000/svg" width="{found[1]}" height="{found[2]}"'
    return drawing.replace("<svg", opening, 1).replace(">", f"><style>{_FONT}\n{style}</style>", 1) + "\n"


def _drawings(report: Mapping[str, Any], said: Predictions) -> dict[str, str]:
    drawings = {"ladder": ladder_chart(report["stages"])}
    drawings |= {f"confusion_{stage}": confusion_drawing(said, stage) for stage in said.stage_logits}
    drawings["reliability"] = reliability_drawing(report, said)
    damage = (report["conversion"] or {}).get("damage")
    if damage is not None:
        drawings["damage"] = damage_drawing(report, damage)
    learned = report.get("incremental")
    if learned and "sessions" in learned:
        names = session_names(learned)
        drawings["sessions"] = session_chart(learned["sessions"], names)
        drawings["forgetting"] = forgetting_chart(learned["matrix"], names)
    return drawings
