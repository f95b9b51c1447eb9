"""What a full mailbox costs: 10,000 mails of the market operator, some of them bad, which the real service fetches.

The service is killed twice on the way; then come 10,000 copies of a mail that was taken before. By hand, because the
server of the tests, not we, decides how long it takes: `python -m tests.bench.parts.full_mailbox --mails 1000`.
"""

import argparse
import multiprocessing
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Final

from sqlalchemy import Engine, text

from central.market.channels import smime
from central.market.channels.certificates import Counterparty
from central.market.channels.keys import OwnKey
from central.market.channels.mail import ASIDE, DONE, REFUSED, Mailbox, open_mailbox
from central.market.channels.port import Outgoing
from central.market.channels.receive import AT_ONCE
from central.market.envelope import Envelope, Participant
from central.market.format_package import load_package
from central.market.response import Reason, Response, write_response
from central.market.sandbox.secure import OURS, SETTINGS_NAME, THEIRS, USER, Doors, Ports, make_doors
from central.platform.database import make_engine, transaction
from central.platform.migrations import upgrade
from deploy.stack import process
from deploy.stack.local import LocalStack, home_folder
from deploy.stack.ports import LOOPBACK, find_free_port
from tests.bench import harness
from tests.bench.harness import Figure

MAILS: Final = 10_000
BAD_OF: Final = 50
"""Of so many mails one is changed on the way (refused), and one is no message at all (put aside)."""
KILLED_AT: Final = (0.2, 0.6)
SENDER: Final = "8591824900017"
OPERATOR: Final = "8591824000007"
PACKAGE: Final = "sandbox-2026"
TIMEOUT_S: Final = 3600

_SENT: Final = text("""
    INSERT INTO market_message (message_id, message_code, format_package, format_digest, sender, receiver,
           subject_kind, subject, period, version, state, xml, basis, made_at, made_by, sent_at, receipt, attempts,
           due_at, environment)
    SELECT '121-' || n, '121', :package, '', :sender, :receiver, 'supply_point', lpad(n::text, 18, '0'),
           '[2026-01-01,2026-02-01)', 1, 'sent', '', '{}', :at, 'bench', :at, 'R' || n, 1, 'infinity', 'sandbox'
      FROM generate_series(0, :last) n
""")
_OUTCOMES: Final = text("""
    SELECT (SELECT count(*) FROM market_message WHERE state = 'accepted') AS accepted,
           (SELECT count(*) FROM market_message_event WHERE act = 'accept') AS accepts,
           (SELECT count(*) FROM market_inbox) AS inbox,
           (SELECT count(*) FROM market_inbox WHERE outcome = 'applied') AS applied,
           (SELECT count(*) FROM market_archive WHERE verdict = 'opened') AS opened,
           (SELECT count(*) FROM market_archive WHERE verdict = 'duplicate') AS duplicates,
           (SELECT count(*) FROM market_archive WHERE verdict = 'refused') AS refused,
           (SELECT count(*) FROM market_aside) AS aside,
           (SELECT coalesce(sum(dropped), 0) FROM market_unasked) AS dropped,
           (SELECT count(*) FROM audit WHERE act IN ('market.unasked.over', 'market.repeated')) AS audited
""")


class Service:
    """`market-channels` as a process, killed and started again; its peak of memory."""

    def __init__(self, folder: Path, url: str, settings: Path) -> None:
        self._log = (folder / "market-channels.log").open("ab")
        self._environment = {
            **os.environ,
            "ROZVODNA_DATABASE_URL": url,
            "ROZVODNA_MARKET_CHANNELS_FILE": str(settings),
            "ROZVODNA_MARKET_POLL_S": "0.2",
        }
        self.peak_mb = 0.0
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """As an installation starts it."""
        command = [sys.executable, "-m", "central", "market-channels"]
        self._process = subprocess.Popen(command, env=self._environment, stdout=self._log, stderr=self._log)

    def look(self) -> None:
        """Remember its peak; RuntimeError where it ended by itself."""
        assert self._process is not None
        if self._process.poll() is not None:
            raise RuntimeError("market-channels ended by itself")
        status = Path(f"/proc/{self._process.pid}/status").read_text()
        peak = next(line for line in status.splitlines() if line.startswith("VmHWM"))
        self.peak_mb = max(self.peak_mb, int(peak.split()[1]) / 1024)

    def kill(self) -> None:
        """SIGKILL."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None


def measure(stack: LocalStack, mails: int) -> dict[str, Figure]:
    """Seconds for all that was brought and for the copies behind it, and the service's peak of memory."""
    name = "bench_mailbox"
    stack.drop_database(name)
    url = stack.create_database(name)
    upgrade(url)
    engine = make_engine(url, name="bench", pool_size=1)
    with ExitStack() as exits:
        folder = Path(exits.enter_context(tempfile.TemporaryDirectory(prefix="rozvodna-mailbox-")))
        doors, settings = exits.enter_context(_operator(folder))
        values = {
            "package": PACKAGE,
            "sender": SENDER,
            "receiver": OPERATOR,
            "at": datetime.now(UTC),
            "last": mails - 1,
        }
        with transaction(engine) as connection:
            connection.execute(_SENT, values)
        box = Mailbox(
            LOOPBACK, doors.ports.imap, "imap+starttls", USER, doors.password, ca_file=str(doors.authority.ca_file)
        )
        begun = time.perf_counter()
        sealed = _sealed(doors, mails)
        _put(box, (_spoiled(number, octets) for number, octets in enumerate(sealed)))
        print(f"{mails} mails are in the mailbox after {time.perf_counter() - begun:.0f} s", flush=True)
        service = Service(folder, url, settings)
        exits.callback(service.kill)

        begun = time.perf_counter()
        service.start()
        for share in KILLED_AT:
            _wait(service, partial(_has_taken, engine, share * mails))
            service.kill()
            service.start()
        bad = len(range(0, mails, BAD_OF))
        good = mails - 2 * bad
        _wait(service, lambda: _is_empty(box))
        seconds, peak = time.perf_counter() - begun, service.peak_mb
        found = _count(engine)
        print(f"{mails} mails in {seconds:.1f} s, killed twice, peak {peak:.0f} MB: {found}", flush=True)
        for key in ("accepted", "accepts", "inbox", "applied", "opened"):
            _require(key, found[key], good)
        for key, most in (("refused", bad), ("aside", bad)):
            _require(key, found[key], min(most, 500))
        _require_moved(_folders(box), {DONE: good, REFUSED: bad, ASIDE: bad})

        copies = _measure_copies(service, engine, box, sealed[1], mails)
    engine.dispose()
    stack.drop_database(name)
    return {
        "mailbox_s": Figure(round(seconds, 1), "s"),
        "copies_s": Figure(round(copies, 1), "s"),
        "rss_mb": Figure(round(service.peak_mb), "MB"),
    }


def _measure_copies(service: Service, engine: Engine, box: Mailbox, octets: bytes, copies: int) -> float:
    """Seconds for copies of one mail that was taken: half of them as they are, half under Message-IDs of their own."""
    before = _count(engine)
    others = (
        octets.replace(b"\nMessage-ID: <", b"\nMessage-ID: <%d-" % number, 1) if number % 2 else octets
        for number in range(copies)
    )
    service.kill()
    _put(box, others)
    begun = time.perf_counter()
    service.start()
    _wait(service, lambda: _is_empty(box))
    seconds = time.perf_counter() - begun
    found = _count(engine)
    print(f"{copies} copies in {seconds:.1f} s, peak {service.peak_mb:.0f} MB: {found}", flush=True)
    for key in ("accepted", "accepts", "inbox", "opened", "refused", "aside"):
        _require(key, found[key], before[key])
    if found["duplicates"] > 500 or found["audited"] - before["audited"] > 2:
        raise RuntimeError(f"The copies are kept without end: {found}")
    _require("copies that left a trace", found["duplicates"] + found["dropped"] - before["dropped"], copies // 2)
    return seconds


@contextmanager
def _operator(folder: Path) -> Iterator[tuple[Doors, Path]]:
    """The sandbox, whose mailbox it is, and the settings of our channels."""
    ports = Ports(*(find_free_port() for _ in range(4)))
    home = folder / "ote"
    doors = make_doors(home, LOOPBACK, ports, SENDER, OPERATOR, datetime.now(UTC), ["121"])
    words = {
        "--port": find_free_port(), "--soap-port": ports.soap, "--smtp-port": ports.smtp, "--imap-port": ports.imap,
        "--callback-port": ports.callback, "--folder": home, "--sender": SENDER, "--mail-codes": "121",
    }  # fmt: skip
    command = [
        sys.executable,
        "-m",
        "central",
        "ote-sandbox",
        "--secure",
        *(str(w) for pair in words.items() for w in pair),
    ]
    with (folder / "sandbox.log").open("ab") as log:
        running = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True)
    assert running.stdout is not None
    try:
        if not any(line.startswith("ready ") for line in running.stdout):
            raise RuntimeError((folder / "sandbox.log").read_text())
        yield doors, doors.authority.folder / SETTINGS_NAME
    finally:
        running.kill()
        running.wait()


_SEAL: dict[str, tuple[OwnKey, Counterparty]] = {}


def _sealed(doors: Doors, mails: int) -> list[bytes]:
    """The operator's answers to our messages, signed and encrypted."""
    _SEAL["with"] = doors.authority.key("operator", "sign"), doors.them()
    with multiprocessing.get_context("fork").Pool(harness.cores()) as pool:
        return pool.map(_seal, range(mails), 50)


def _seal(number: int) -> bytes:
    key, us = _SEAL["with"]
    at = datetime.now(UTC)
    envelope = Envelope(
        f"X21-{number}", "X21", at, Participant(OPERATOR), Participant(SENDER), (f"121-{number}",), None, "CS"
    )
    xml = write_response(load_package(PACKAGE), Response(envelope, [Reason("A01", "0200", "Přijato")]))
    return smime.seal(Outgoing(f"X21-{number}", "X21", PACKAGE, xml), key, us.encrypt_for, (THEIRS, OURS), at).octets


def _spoiled(number: int, octets: bytes) -> bytes:
    """Every so many-th changed on the way, the one behind it advertising."""
    if number % BAD_OF == 0:
        place = octets.index(b"\r\n\r\n") + 2000
        return octets[:place] + b"AAAAAAAA" + octets[place + 8 :]
    if number % BAD_OF == BAD_OF - 1:
        return b"From: spam@example.com\r\nSubject: X21\r\nMessage-ID: <%d@spam>\r\n\r\nBuy!\r\n" % number
    return octets


def _put(mailbox: Mailbox, mails: Iterator[bytes] | Sequence[bytes]) -> None:
    with open_mailbox(mailbox) as box:
        for octets in mails:
            box.append(octets)


def _folders(mailbox: Mailbox) -> dict[str, int]:
    with open_mailbox(mailbox) as box:
        return {name: box.folder.status(name)["MESSAGES"] for name in (DONE, REFUSED, ASIDE)}


def _require_moved(found: dict[str, int], expected: dict[str, int]) -> None:
    """Nothing is lost; this server copies before it removes, so a kill may leave a set twice in its folder."""
    most = AT_ONCE * len(KILLED_AT)
    if not all(expected[name] <= found[name] <= expected[name] + most for name in expected):
        raise RuntimeError(f"folders: {found}, expected {expected}")


def _is_empty(mailbox: Mailbox) -> bool:
    with open_mailbox(mailbox) as box:
        return int(box.folder.status("INBOX")["MESSAGES"]) == 0


def _wait(service: Service, holds: Callable[[], bool]) -> None:
    end = time.monotonic() + TIMEOUT_S
    while not holds():
        service.look()
        if time.monotonic() > end:
            raise RuntimeError(f"waited in vain for {TIMEOUT_S} s")
        time.sleep(0.5)


def _has_taken(engine: Engine, least: float) -> bool:
    return _count(engine)["inbox"] >= least


def _count(engine: Engine) -> dict[str, int]:
    with engine.connect() as connection:
        return {key: int(value) for key, value in connection.execute(_OUTCOMES).mappings().one().items()}


def _require(what: str, found: object, expected: object) -> None:
    if found != expected:
        raise RuntimeError(f"{what}: {found}, expected {expected}")


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mails", type=int, default=MAILS, help="of so many mails")
    options = parser.parse_args()
    stack = LocalStack(home_folder(), instance=f"bench-{os.getpid()}", owner=process.this_process())
    try:
        stack.up()
        figures = measure(stack, options.mails)
        print({name: (figure.value, figure.unit) for name, figure in figures.items()})
    finally:
        stack.destroy()
    return 0


if __name__ == "__main__":
    sys.exit(main())
