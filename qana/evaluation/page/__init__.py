"""report.html: one self-contained page that shows what a run found."""

from qana.evaluation.page.document import render_html, write_html

__all__ = ["render_html", "write_html"]
