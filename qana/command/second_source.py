"""Lets a second source be chosen as simply as the first: ``dataset.external_test=isic2018``.

To Hydra, a YAML file of a group at another place is ``dataset@dataset.external_test=isic2018``.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

KEY = "dataset.external_test"
_CHOICE = re.compile(rf"{re.escape(KEY)}=(?!null$)(?P<names>[A-Za-z_][\w,]*)")
# A network takes photographs prepared as those it learned from.
_SHARED = ("image_size", "crop", "colour")


def spelled_out(arguments: Sequence[str]) -> list[str]:
    """Return the command line with the choice of a second source in Hydra's own words."""
    chosen = [_CHOICE.fullmatch(text) for text in arguments]
    if not any(chosen):
        return list(arguments)
    spelled = [
        f"dataset@{KEY}={match['names']}" if match else text
        for text, match in zip(arguments, chosen, strict=True)
    ]
    given = {text.partition("=")[0] for text in arguments}
    inherited = [f"++{KEY}.{key}=${{dataset.{key}}}" for key in _SHARED if f"{KEY}.{key}" not in given]
    return [*spelled, *inherited]
