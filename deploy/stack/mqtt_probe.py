"""One MQTT 5 log-in, byte by byte: tells whether a broker is there and takes these credentials."""

from __future__ import annotations

import socket

__all__ = ["ACCEPTED", "log_in"]

ACCEPTED = 0x00

_CONNECT, _CONNACK, _PROTOCOL_5, _CLEAN_WITH_CREDENTIALS = 0x10, 0x20, 5, 0xC2


def log_in(host: str, port: int, user: str, password: str, seconds: float = 2.0) -> int | None:
    """The reason code of the broker's CONNACK (0 accepted, 0x87 not authorized); None if nothing answers.

    Source: MQTT 5.0, 3.1 and 3.2.
    """
    body = (
        _text("MQTT")
        + bytes([_PROTOCOL_5, _CLEAN_WITH_CREDENTIALS, 0, 10, 0])
        + _text("")
        + _text(user)
        + _text(password)
    )
    try:
        with socket.create_connection((host, port), timeout=seconds) as connection:
            connection.sendall(bytes([_CONNECT]) + _variable_length(len(body)) + body)
            answer = connection.recv(64)
    except OSError:
        return None
    # Fixed header, remaining length (one byte: a CONNACK is short), flags, reason code.
    return answer[3] if len(answer) >= 4 and answer[0] == _CONNACK else None


def _text(value: str) -> bytes:
    raw = value.encode()
    return len(raw).to_bytes(2, "big") + raw


def _variable_length(length: int) -> bytes:
    out = bytearray()
    while True:
        length, low = divmod(length, 128)
        out.append(low | (0x80 if length else 0))
        if not length:
            return bytes(out)
