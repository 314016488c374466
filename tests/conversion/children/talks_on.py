"""Sends one message and stays."""

import time

from qana.conversion.child import report_to_parent

with report_to_parent() as send:
    send({"kind": "step", "number": 0})
    time.sleep(60)
