"""Reads one meter of mode C with the package iec62056-21 and prints what it got as JSON. Run by the environment of the
peers only. The task comes as JSON on standard input (tests/peers/test_mode_c_client.py).
"""

from __future__ import annotations

import json
import sys
from typing import Any

from iec62056_21 import messages
from iec62056_21.client import Iec6205621Client


def main() -> None:
    task = json.load(sys.stdin)
    found: dict[str, Any] = {}
    client = Iec6205621Client.with_tcp_transport(
        (task["host"], task["port"]), device_address=task["device"], password=task["password"]
    )
    client.connect()
    readout = client.standard_readout()
    found["identification"] = [client.manufacturer_id, client.switchover_baudrate_char, client.identification]
    found["readout"] = [[each.address, each.value, each.unit] for each in readout.data]
    challenge = client.access_programming_mode()
    found["challenge"] = [challenge.command, str(challenge.command_type)]
    # The library's own send_password does not work.
    secret = messages.DataSet(address="", value=task["password"])
    client.transport.send(messages.CommandMessage(command="P", command_type=1, data_set=secret).to_bytes())
    found["password"] = client.transport.recv(1).hex()
    found["values"] = {}
    for address in task["registers"]:
        value = client.read_single_value(address)
        found["values"][address] = [value.value, value.unit]
    client.send_break()
    client.disconnect()
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main()
