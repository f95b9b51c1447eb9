"""What tshark finds in a capture of Modbus."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

from deploy.peers import PeerProgram

TCP_PORT = 502
RTU_PORT = 5020
"""Where captures have RTU over TCP; tshark is told so."""

_FIELDS = (
    "frame.number", "tcp.dstport", "modbus.func_code", "modbus.exception_code", "modbus.request_frame", "mbtcp.len",
    "modbus.byte_cnt", "_ws.malformed", "_ws.expert.severity", "_ws.expert.message",
)  # fmt: skip
_WARN = 0x600000
"""Expert severities: note 0x400000, warn 0x600000, error 0x800000."""


@dataclass(frozen=True)
class Dissection:
    """Counts of a capture; `faults` are sentences of tshark's, with their frames."""

    requests: int
    responses: int
    exceptions: int
    matched: int
    """Responses for which tshark found the request; not of exceptions, nor on RTU of function 43."""
    faults: tuple[str, ...]


def dissect_modbus(tshark: PeerProgram, capture: Path) -> Dissection:
    """Read `capture`; raises `AssertionError` if tshark itself fails."""
    options = ["-o", "mbrtu.crc_verification:TRUE", "-o", "tcp.check_checksum:TRUE", "-o", "ip.check_checksum:TRUE"]
    command = [str(tshark.path), "-n", "-r", str(capture), *options, "-d", f"tcp.port=={RTU_PORT},mbrtu"]
    command += ["-Y", "tcp.len > 0", "-T", "fields", "-E", "separator=|", "-E", "occurrence=a"]
    command += [part for name in _FIELDS for part in ("-e", name)]
    done = subprocess.run(command, env=tshark.environment(), capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    requests = responses = exceptions = matched = 0
    faults = []
    for row in done.stdout.splitlines():
        number, port, functions, exception, request, length, octets, malformed, severities, messages = row.split("|", 9)
        count = len(functions.split(",")) if functions else 0
        if port in (str(TCP_PORT), str(RTU_PORT)):
            requests += count
        else:
            responses += count
        exceptions += bool(exception)
        matched += len(request.split(",")) if request else 0
        worst = max((int(severity, 0) for severity in severities.split(",") if severity), default=0)
        if length and octets and int(octets) + 3 != int(length):  # tshark takes the shorter of the two without a word
            faults.append(f"Frame {number}: {octets} octets of registers in a frame of length {length}")
        if malformed or worst >= _WARN or not count:
            faults.append(f"Frame {number}: {malformed or messages or 'no Modbus in it'}")
    return Dissection(requests, responses, exceptions, matched, tuple(faults))
