"""The strokes that every chart is drawn with. Colours are CSS variables, for light, dark and paper alike."""

from __future__ import annotations

from qana.evaluation.page.markup import tag, text


def svg(width: float, height: float, content: str, title: str) -> str:
    """A drawing that shrinks with the window; one wider than 640 px scrolls below that width."""
    return tag(
        "svg",
        tag("title", text(title)) + content,
        viewBox=f"0 0 {width:g} {height:g}",
        role="img",
        aria_label=title,
        style=f"max-width:{width:g}px;min-width:{min(width, 640):g}px"
        if width > 640
        else f"max-width:{width:g}px",
    )


def line(x1: float, y1: float, x2: float, y2: float, class_: str) -> str:
    """A straight stroke."""
    return tag("line", x1=f"{x1:.1f}", y1=f"{y1:.1f}", x2=f"{x2:.1f}", y2=f"{y2:.1f}", class_=class_)


def label(x: float, y: float, words: str, anchor: str = "middle", class_: str = "tick") -> str:
    """Words with their baseline at `y`."""
    return tag("text", text(words), x=f"{x:.1f}", y=f"{y:.1f}", text_anchor=anchor, class_=class_)


def axis_name(words: str, y: float) -> str:
    """What a vertical axis measures, written upwards at the left edge."""
    place = f"translate(14 {y:.1f}) rotate(-90)"
    return tag("text", text(words), transform=place, class_="tick", text_anchor="middle")
