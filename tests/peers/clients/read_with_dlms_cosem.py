"""Reads one meter with dlms-cosem and prints what it got as JSON. Run by the environment of the peers only: it never
shares a process with our code. The task comes as JSON on standard input (tests/peers/dlms_task.py).
"""

from __future__ import annotations

import json
import logging
import sys
from datetime import datetime
from typing import Any

import structlog
from dlms_cosem import cosem, enumerations, time, utils
from dlms_cosem.client import DlmsClient
from dlms_cosem.cosem.capture_object import CaptureObject
from dlms_cosem.cosem.selective_access import RangeDescriptor
from dlms_cosem.io import BlockingTcpIO, HdlcTransport, SerialIO, TcpTransport
from dlms_cosem.security import (
    HighLevelSecurityGmacAuthentication,
    LowLevelSecurityAuthentication,
    NoSecurityAuthentication,
)

Interface = enumerations.CosemInterface


def transport_of(task: dict[str, Any]) -> Any:
    if "path" in task:
        io: Any = SerialIO(task["path"], task["baud"], task["timeout_s"])
    else:
        io = BlockingTcpIO(task["host"], task["port"], task["timeout_s"])
    if task["protocol"] == "hdlc":
        return HdlcTransport(task["client"], task["server"], io, server_physical_address=task.get("physical"))
    return TcpTransport(task["client"], task["server"], io)


def client_of(task: dict[str, Any]) -> DlmsClient:
    authentication: Any = NoSecurityAuthentication()
    if task["authentication"] == "low":
        authentication = LowLevelSecurityAuthentication(task["password"].encode())
    elif task["authentication"] == "gmac":
        authentication = HighLevelSecurityGmacAuthentication()
    security = task.get("security") or {}
    secured: dict[str, Any] = {}
    if security:
        secured = {
            "encryption_key": bytes.fromhex(security["encryption_key"]),
            "authentication_key": bytes.fromhex(security["authentication_key"]),
            "client_system_title": bytes.fromhex(security["title"]),
            "client_initial_invocation_counter": security["counter"],
            "security_suite": security["suite"],
            "dedicated_ciphering": bool(security.get("dedicated_key")),
        }
    return DlmsClient(transport_of(task), authentication, max_pdu_size=1024, timeout=task["timeout_s"], **secured)


def attribute(interface: Interface, name: str, number: int) -> cosem.CosemAttribute:
    return cosem.CosemAttribute(interface, cosem.Obis(*map(int, name.split("."))), number)


def read(client: DlmsClient, interface: Interface, name: str, number: int, access: Any = None) -> Any:
    return utils.parse_as_dlms_data(client.get(attribute(interface, name, number), access))


def instant(octets: bytes) -> str:
    return time.datetime_from_bytes(bytes(octets))[0].isoformat()


def main() -> None:
    # It logs every octet to standard output.
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    task = json.load(sys.stdin)
    client = client_of(task)
    with client.session():
        value = read(client, Interface.REGISTER, task["register"], 2)
        scaler, unit = read(client, Interface.REGISTER, task["register"], 3)
        clock = instant(read(client, Interface.CLOCK, "0.0.1.0.0.255", 2))
        captured = read(client, Interface.PROFILE_GENERIC, task["profile"], 3)
        period = read(client, Interface.PROFILE_GENERIC, task["profile"], 4)
        by_clock = CaptureObject(attribute(Interface.CLOCK, "0.0.1.0.0.255", 2), 0)
        begin, end = (datetime.fromisoformat(task[name]) for name in ("begin", "end"))
        chosen = RangeDescriptor(by_clock, begin, end)
        rows = read(client, Interface.PROFILE_GENERIC, task["profile"], 2, chosen)
    found = {
        "register": [value, 10.0**scaler, unit],
        "clock": clock,
        "captured": [[kind, ".".join(map(str, bytes(name))), number] for kind, name, number, _ in captured],
        "period_s": period,
        "rows": [[instant(row[0]), *row[1:]] for row in rows],
        "entries": None,
    }
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main()
