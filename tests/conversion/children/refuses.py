"""Refuses its input as the converter's child processes do."""

from qana.conversion.child import report_to_parent
from qana.errors import QanaError

with report_to_parent():
    raise QanaError("no such leaf", where="tree.leaf = 3", allowed="0 to 2", fix="choose another")
