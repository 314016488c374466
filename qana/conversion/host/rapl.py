"""The energy counters of the processor packages (RAPL), where the system lets us read them."""

from __future__ import annotations

from pathlib import Path

POWERCAP = Path("/sys/class/powercap")


class EnergyCounter:
    """Reads the package counters ``intel-rapl:N/energy_uj`` (AMD processors use the same name).

    Reference: Linux kernel documentation, "Power Capping Framework". Sub-domains (``intel-rapl:N:M``)
    are parts of their package and not added.
    """

    def __init__(self, powercap: Path) -> None:
        self._packages = sorted(p for p in powercap.glob("intel-rapl:*") if p.name.count(":") == 1)

    def read_uj(self) -> list[int] | None:
        """Counter of each package in microjoules; None where there is none or reading is not permitted."""
        try:
            counters = [int((package / "energy_uj").read_text()) for package in self._packages]
        except OSError:  # readable by root only on most systems
            return None
        return counters or None

    def spent_uj(self, before: list[int]) -> int | None:
        """Microjoules since `before`, over all packages; allows each counter one wrap-around."""
        after = self.read_uj()
        if after is None:
            return None
        wraps = [int((package / "max_energy_range_uj").read_text()) for package in self._packages]
        return sum((now - then) % (wrap + 1) for now, then, wrap in zip(after, before, wraps, strict=True))
