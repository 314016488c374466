"""The smallest pieces of the page: escaped tags and numbers as a reader wants them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

ABSENT = "–"  # noqa: RUF001 - an en dash is the typographic mark for "no value"


def text(value: object) -> str:
    """Escape anything for use between or inside tags."""
    return escape(str(value), quote=True)


def tag(name: str, content: str = "", **attributes: object) -> str:
    """An element around markup that is already safe; `class_` stands for class, `_` for a hyphen."""
    pairs = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{text(value)}"' for key, value in attributes.items()
    )
    return f"<{name}{pairs}>{content}</{name}>"


def section(title: str, content: str, lead: str = "") -> str:
    """A titled part of the page with an optional sentence that says how to read it."""
    return tag(
        "section", tag("h2", text(title)) + (tag("p", text(lead), class_="lead") if lead else "") + content
    )


def percent(share: float | None, digits: int = 1) -> str:
    """0.7421 as 74.2 %."""
    return ABSENT if share is None else f"{100 * share:.{digits}f} %"


def count(number: float | None) -> str:
    """1234567 as 1,234,567."""
    return ABSENT if number is None else f"{number:,.0f}"


def significant(number: float | None) -> str:
    """Three significant digits, no exponent for everyday sizes."""
    if number is None:
        return ABSENT
    if abs(number) >= 1000:
        return f"{number:,.0f}"
    return f"{number:.3g}"


def si(number: float | None) -> str:
    """12345678 as 12.3 M."""
    if number is None:
        return ABSENT
    for factor, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(number) >= factor:
            return f"{number / factor:.3g} {unit}"
    return f"{number:.3g}"


def points(share: float) -> str:
    """A difference of two shares in percentage points."""
    return f"{100 * share:.1f}".replace("-", "−")  # noqa: RUF001 - the minus sign


def signed_points(share: float | None, digits: int = 1) -> str:
    """A change in percentage points, with its sign; one that rounds to nothing has none."""
    if share is None:
        return ABSENT
    rounded = round(100 * share, digits)
    sign = "+" if rounded > 0 else "−" if rounded < 0 else ""  # noqa: RUF001 - the minus sign
    return f"{sign}{abs(rounded):.{digits}f}"


def small(words: str) -> str:
    """A quieter line below a value."""
    return tag("small", text(words), class_="ci")


def badge(provenance: str) -> str:
    """How a figure came about: measured or modelled."""
    return tag("span", text(provenance), class_=f"badge {provenance}")


def few_badge(few: bool) -> str:
    """Marks what too few independent cases speak for."""
    return f" {tag('span', 'few', class_='badge status')}" if few else ""


def groups_of(report: Mapping[str, Any]) -> str:
    """What is drawn as one in the bootstrap: groups, with the key that names them, or single images."""
    key = report["dataset"]["split"]["group_key"]
    return f"groups ({key})" if key else "images"


def share_with_interval(share: float | None, ci95: Sequence[float] | None) -> str:
    """A share with its 95 % interval below it."""
    if ci95 is None or share is None:
        return percent(share)
    return f"{percent(share)}{tag('small', f'{100 * ci95[0]:.1f} to {100 * ci95[1]:.1f}', class_='ci')}"


def bar(share: float | None, label: str) -> str:
    """A number over a thin bar as long as the share."""
    if share is None:
        return label
    width = f"width:{100 * max(0.0, min(1.0, share)):.1f}%"
    return f"{label}{tag('span', tag('i', style=width), class_='bar')}"


def table(head: Sequence[str], rows: Iterable[Sequence[str]], *, caption: str, numeric_from: int = 1) -> str:
    """A table whose cells are already markup; columns from `numeric_from` on are numbers.

    The first cell of every row is its heading. The wrapper scrolls on narrow screens.
    """

    def cells(row: Sequence[str], name: str, scope: str | None) -> str:
        made = []
        for column, cell in enumerate(row):
            kind = "th" if scope and (name == "th" or column == 0) else name
            attributes = {"class_": "n"} if column >= numeric_from else {}
            made.append(tag(kind, cell, **attributes, **({"scope": scope} if kind == "th" else {})))
        return tag("tr", "".join(made))

    header = tag("thead", cells(head, "th", "col"))
    body = tag("tbody", "".join(cells(row, "td", "row") for row in rows))
    return tag("div", tag("table", tag("caption", text(caption)) + header + body), class_="scroll")


def definitions(pairs: Iterable[tuple[str, str]]) -> str:
    """A list of names and values; values are already markup."""
    return tag("dl", "".join(tag("div", tag("dt", text(name)) + tag("dd", value)) for name, value in pairs))
