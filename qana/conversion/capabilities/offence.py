"""One thing that a target cannot do, in words that say where it is and what to write instead."""

from __future__ import annotations

from dataclasses import dataclass

NETWORK = "(network)"  # the path of what concerns the network as a whole


@dataclass(frozen=True)
class Offence:
    """One thing a target cannot do.

    Attributes:
        module: path of the module in the network, or ``(network)``.
        found: what it asks for.
        rewrite: what to do instead.
        allowed: what the target runs in its place.
    """

    module: str
    found: str
    rewrite: str
    allowed: str
