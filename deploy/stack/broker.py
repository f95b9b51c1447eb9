"""mosquitto with a password per edge and an ACL: its files, its start, its accounts.

The broker is transport, not a store: births and configuration are published again by whoever they belong to, so
nothing of it is kept across a restart but the accounts.
"""

from __future__ import annotations

import base64
import hashlib
import os
import re
import secrets
import signal
import time
from pathlib import Path

from deploy.stack import process
from deploy.stack.account import Account
from deploy.stack.errors import StackError
from deploy.stack.mqtt_probe import ACCEPTED, log_in
from deploy.stack.ports import LOOPBACK

__all__ = ["CENTRAL", "Broker", "hash_password"]

CENTRAL = "central"

_EDGE_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_HASH_ROUNDS = 101  # mosquitto's own default; the passwords are random, not chosen by people
_READY_SECONDS = 15.0

_CONFIGURATION = """\
listener {port} {host}
allow_anonymous false
password_file {folder}/passwords
acl_file {folder}/acl
persistence false
log_dest stdout
log_type error
log_type warning
log_type notice
connection_messages false
sys_interval 0
set_tcp_nodelay true
# The default drops what exceeds 1,000 messages for a slow reader without a word: bound the memory instead, per client.
# Not 0 (no limit): with that, mosquitto 2.0.21 ends the connection of a client after each publish that the ACL refuses.
max_queued_messages 1000000000
max_queued_bytes 268435456
# The default of 20 makes every publisher wait for its reader. MQTT 5 clients still name their own Receive Maximum.
max_inflight_messages 1000
max_packet_size 2097152
"""

_ACL = """\
# Central reads and answers every edge.
user central
topic readwrite rzv/#

# An edge, whose user name is its id, only below its own id.
pattern readwrite rzv/1/%u/#
"""


def hash_password(password: str, salt: bytes) -> str:
    """A password as mosquitto 2 stores it: PBKDF2 with SHA-512, format 7 of its password file."""
    digest = hashlib.pbkdf2_hmac("sha512", password.encode(), salt, _HASH_ROUNDS, 64)
    return f"$7${_HASH_ROUNDS}${base64.b64encode(salt).decode()}${base64.b64encode(digest).decode()}"


class Broker:
    """One mosquitto whose files lie in `folder`."""

    def __init__(self, folder: Path, account: Account) -> None:
        self.folder = folder
        self._account = account

    def start(self, program: Path, port: int) -> process.ProcessRecord:
        """Start it on loopback and wait until it takes central's log-in. Raises StackError."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        process.end_left_running(self.folder, signal.SIGTERM)
        self._prepare(port)
        command = [*self._account.prefix, str(program), "-c", str(self.folder / "mosquitto.conf")]
        log = self.folder / "mosquitto.log"
        record = process.start(command, log, {**os.environ, "LC_ALL": "C"}, self.folder)
        end = time.monotonic() + _READY_SECONDS
        while log_in(LOOPBACK, port, CENTRAL, self.password_of(CENTRAL)) != ACCEPTED:
            if not process.is_running(record) or time.monotonic() > end:
                process.stop(record, signal.SIGKILL)
                raise StackError(f"mosquitto did not start on port {port}; it said: {log.read_text()[-1000:]}")
            time.sleep(0.02)
        return record

    def password_of(self, user: str) -> str:
        """The password of an account that exists."""
        return (self.folder / "accounts" / user).read_text()

    def add_accounts(self, edges: list[str], running: process.ProcessRecord | None, port: int) -> dict[str, str]:
        """Accounts for edges, made where missing; a running broker knows them on return. Raises StackError."""
        for edge in edges:
            if not _EDGE_ID.fullmatch(edge) or edge == CENTRAL:
                raise StackError(
                    f"'{edge}' cannot be an edge's id: 1 to 64 letters, digits, dots, dashes or underscores, "
                    f"not beginning with a sign, and not '{CENTRAL}'."
                )
        new = [edge for edge in edges if not (self.folder / "accounts" / edge).exists()]
        for edge in new:
            self._create_account(edge)
        if new:
            self._write_passwords()
        if running is not None and new:
            self._reload(running, port, new[-1])
        return {edge: self.password_of(edge) for edge in edges}

    def _reload(self, running: process.ProcessRecord, port: int, last: str) -> None:
        """Let the broker read its accounts again, and wait until it has."""
        end = time.monotonic() + _READY_SECONDS
        process.stop(running, signal.SIGHUP)
        while log_in(LOOPBACK, port, last, self.password_of(last)) != ACCEPTED:
            if time.monotonic() > end:
                raise StackError(f"mosquitto on port {port} does not take the new account '{last}'; see its log.")
            time.sleep(0.02)

    def _prepare(self, port: int) -> None:
        (self.folder / "accounts").mkdir(mode=0o700, exist_ok=True)
        if not (self.folder / "accounts" / CENTRAL).exists():
            self._create_account(CENTRAL)
        self._write_passwords()
        configuration = _CONFIGURATION.format(port=port, host=LOOPBACK, folder=self.folder)
        _write_private(self.folder / "mosquitto.conf", configuration)
        _write_private(self.folder / "acl", _ACL)
        self._account.give(self.folder)

    def _create_account(self, user: str) -> None:
        _write_private(self.folder / "accounts" / user, secrets.token_urlsafe(24))

    def _write_passwords(self) -> None:
        users = sorted(path.name for path in (self.folder / "accounts").iterdir())
        lines = [f"{user}:{hash_password(self.password_of(user), secrets.token_bytes(12))}\n" for user in users]
        written = self.folder / "passwords.new"
        _write_private(written, "".join(lines))
        self._account.give(written)
        written.replace(self.folder / "passwords")


def _write_private(path: Path, text: str) -> None:
    path.touch(mode=0o600)
    path.write_text(text)
