"""report.html: one self-contained page that shows what a run found; its drawings as files beside it."""

from qana.evaluation.page.document import render_html, write_html
from qana.evaluation.page.figures import write_figures

__all__ = ["render_html", "write_figures", "write_html"]
