"""Reads one meter with gurux-dlms and prints what it got as JSON. Run by the environment of the peers only: it never
shares a process with our code. The task comes as JSON on standard input (tests/peers/dlms_task.py).
"""

from __future__ import annotations

import json
import socket
import sys
from collections.abc import Callable
from datetime import datetime
from typing import Any

import serial
from gurux_dlms import GXByteBuffer, GXDateTime, GXReplyData
from gurux_dlms.enums import Authentication, InterfaceType, Security
from gurux_dlms.objects import GXDLMSClock, GXDLMSProfileGeneric, GXDLMSRegister
from gurux_dlms.objects.enums import SecuritySuite
from gurux_dlms.secure import GXDLMSSecureClient

AUTHENTICATION = {"none": Authentication.NONE, "low": Authentication.LOW, "gmac": Authentication.HIGH_GMAC}


class Wire:
    """Octets to and from the meter, whichever way."""

    def __init__(self, task: dict[str, Any]) -> None:
        if "path" in task:
            port = serial.Serial(task["path"], task["baud"], timeout=task["timeout_s"])
            self.write: Callable[[bytes], Any] = port.write
            self._read: Callable[[], bytes] = lambda: port.read(max(1, port.in_waiting))
        else:
            peer = socket.create_connection((task["host"], task["port"]), task["timeout_s"])
            self.write = peer.sendall
            self._read = lambda: peer.recv(4096)

    def read(self) -> bytes:
        """At least one octet; raises at the end and when nothing comes."""
        octets = self._read()
        if not octets:
            raise EOFError("The meter fell silent or closed the line.")
        return octets


class Meter:
    """Requests of the library over the wire."""

    def __init__(self, task: dict[str, Any]) -> None:
        hdlc = task["protocol"] == "hdlc"
        server = task["server"]
        if hdlc and task.get("physical") is not None:
            server = GXDLMSSecureClient.getServerAddress(task["server"], task["physical"])
        self.client = GXDLMSSecureClient(
            True,
            task["client"],
            server,
            AUTHENTICATION[task["authentication"]],
            task.get("password"),
            InterfaceType.HDLC if hdlc else InterfaceType.WRAPPER,
        )
        self._hdlc = hdlc
        if hdlc:
            for limit in ("maxInfoRX", "maxInfoTX"):
                setattr(self.client.hdlcSettings, limit, task.get("information", 128))
        if (security := task.get("security")) is not None:
            ciphering = self.client.ciphering
            ciphering.security = Security.AUTHENTICATION_ENCRYPTION
            ciphering.securitySuite = SecuritySuite(security["suite"])
            ciphering.systemTitle = bytearray.fromhex(security["title"])
            ciphering.blockCipherKey = bytearray.fromhex(security["encryption_key"])
            ciphering.authenticationKey = bytearray.fromhex(security["authentication_key"])
            ciphering.invocationCounter = security["counter"]
            if security.get("dedicated_key"):
                ciphering.dedicatedKey = bytearray.fromhex(security["dedicated_key"])
        self.wire = Wire(task)

    def frame(self, request: Any, reply: GXReplyData) -> None:
        """One frame out, one answer in."""
        reply.error = 0
        self.wire.write(bytes(request))
        received = GXByteBuffer()
        while True:
            received.set(self.wire.read())
            if self.client.getData(received, reply):
                break
        if reply.error:
            raise OSError(f"error {reply.error}")

    def ask(self, requests: Any) -> GXReplyData:
        """All frames of a request, and its whole answer."""
        reply = GXReplyData()
        for request in requests if isinstance(requests, list) else [requests]:
            reply.clear()
            self.frame(request, reply)
        while reply.isMoreData():
            self.frame(self.client.receiverReady(reply), reply)
        return reply

    def open(self) -> None:
        """Link and association, all passes."""
        if self._hdlc:
            self.client.parseUAResponse(self.ask(self.client.snrmRequest()).data)
        self.client.parseAareResponse(self.ask(self.client.aarqRequest()).data)
        if self.client.isAuthenticationRequired:
            reply = self.ask(self.client.getApplicationAssociationRequest())
            self.client.parseApplicationAssociationResponse(reply.data)

    def close(self) -> None:
        """Release, and close the link."""
        self.ask(self.client.releaseRequest())
        if self._hdlc:
            self.ask(self.client.disconnectRequest())

    def read(self, item: Any, attribute: int) -> Any:
        """One attribute, taken up by the library's object."""
        reply = self.ask(self.client.read(item, attribute))
        return self.client.updateValue(item, attribute, reply.value)

    def rows(self, profile: GXDLMSProfileGeneric, requests: Any) -> list[list[Any]]:
        """Rows of a profile's buffer, as plain values."""
        reply = self.ask(requests)
        self.client.updateValue(profile, 2, reply.value)
        return [[plain(cell) for cell in row] for row in profile.buffer]


def plain(value: Any) -> Any:
    """Instants as texts with their offset, integers as they are."""
    if isinstance(value, GXDateTime):
        return value.value.isoformat()
    if isinstance(value, bytes | bytearray):
        return bytes(value).hex()
    return value if isinstance(value, int | float | str) or value is None else str(value)


def main() -> None:
    task = json.load(sys.stdin)
    meter = Meter(task)
    meter.open()
    register = GXDLMSRegister(task["register"])
    for attribute in (3, 2):
        meter.read(register, attribute)
    clock = GXDLMSClock("0.0.1.0.0.255")
    meter.read(clock, 2)
    profile = GXDLMSProfileGeneric(task["profile"])
    for attribute in (3, 4, 8, 7):
        meter.read(profile, attribute)
    captured = [
        [int(item.objectType), item.logicalName, column.attributeIndex] for item, column in profile.captureObjects
    ]
    begin, end = (datetime.fromisoformat(task[name]) for name in ("begin", "end"))
    by_range = meter.rows(profile, meter.client.readRowsByRange(profile, begin, end))
    profile.buffer.clear()
    by_entry = meter.rows(profile, meter.client.readRowsByEntry(profile, task["entry"], task["entries"]))
    meter.close()
    found = {
        "register": [register.value, register.scaler, int(register.unit)],
        "clock": plain(clock.time),
        "captured": captured,
        "period_s": profile.capturePeriod,
        "rows": by_range,
        "entries": by_entry,
    }
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main()
