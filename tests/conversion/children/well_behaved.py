"""Sends three messages and prints noise between them, before and through the file descriptor as well."""

import os
import sys

from qana.conversion.child import report_to_parent

sys.stdout.write("noise while importing\n")
os.write(1, b"noise without an end of line")

with report_to_parent() as send:
    for number in range(3):
        sys.stdout.write('{"kind": "refused"}\n')
        os.write(1, b"{not json\n")
        send({"kind": "step", "number": number, "job": sys.argv[1]})
    os.write(2, b"complaint\n")
