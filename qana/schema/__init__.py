"""The check that a composed config fits the constructors it names."""

from qana.schema.check import check, find_faults

__all__ = ["check", "find_faults"]
