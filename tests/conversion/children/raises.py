"""Fails on a fault of its own."""

from qana.conversion.child import report_to_parent

with report_to_parent():
    raise ZeroDivisionError("a fault of its own")
