"""`python -m central ote-sandbox` and `rozvodna market sandbox`: the sandbox as a process of its own."""

import argparse
import asyncio
import fcntl
import os
import shlex
import socket
import ssl
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

import uvicorn
from fastapi import FastAPI

from central.market.errors import FormatError, MarketError
from central.market.format_package import FormatPackage, load_package, package_at
from central.market.sandbox.journal import Journal
from central.market.sandbox.operator import Sandbox
from central.market.sandbox.scenario import read_scenario
from central.market.sandbox.secure import SETTINGS_NAME, Doors, Ports, make_doors
from central.market.sandbox.server import create_app, create_soap_app
from central.market.sandbox.ways import HttpWay, Way
from central.platform.errors import DomainError
from central.platform.log import set_up_logging
from central.platform.smtp import Server
from shared.clock import clock_from_environment
from shared.identifiers import IdentifierError, parse_ean13

DEFAULT_FOLDER = Path(".rozvodna/ote-sandbox")
USUAL_SENDER = "8591824900017"
MAIL_CODES = "GP6,XG1,XG4,GO7,GSK,GSN,GSQ,XG7"


USUAL_PROGRAM = "central ote-sandbox"
STOP_S = 5
"""So long it waits at its end for who keeps a connection open."""


def parse_arguments(argv: list[str] | None, program: str = USUAL_PROGRAM) -> argparse.Namespace:
    """The command line; `program`: how it was called."""
    parser = argparse.ArgumentParser(
        prog=program,
        description="A sandbox of OTE for our formats. Port 0 takes a free one.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("--port", type=_port, default=8760, help="loopback port for people and plain messages")
    parser.add_argument("--callback", help="URL that takes plain answers, .../v1/market/callback")
    parser.add_argument("--token-file", type=Path, help="file with the bearer token of the plain call-back")
    parser.add_argument("--scenario", type=Path, help="JSON or TOML file, see docs/market-sandbox.md")
    parser.add_argument("--folder", type=Path, default=DEFAULT_FOLDER, help="where it keeps what it gets")
    parser.add_argument("--package", help="format package; without it the one of today")
    secure = parser.add_argument_group("SOAP and mail")
    secure.add_argument("--secure", action="store_true", help="also SOAP with mutual TLS, and mail with S/MIME")
    secure.add_argument("--host", default="127.0.0.1", help="address to listen on, and of the participant")
    secure.add_argument("--soap-port", type=_port, default=8761, help="web services")
    secure.add_argument("--smtp-port", type=_port, default=8762, help="mail in")
    secure.add_argument("--imap-port", type=_port, default=8763, help="the participant's mailbox")
    secure.add_argument("--callback-port", type=_port, default=8764, help="the participant's call-back service")
    secure.add_argument("--sender", type=_ean, default=USUAL_SENDER, help="EAN of the participant")
    secure.add_argument("--mail-codes", default=MAIL_CODES, help="message codes that go by mail, the others by SOAP")
    secure.add_argument(
        "--mail-server", type=_mail_server, help="smtp://... that answers by mail are handed to, not the own mailbox"
    )
    arguments = parser.parse_args(argv)
    if (arguments.callback is None) != (arguments.token_file is None):
        parser.error("--callback and --token-file belong together")
    if arguments.callback is None and not arguments.secure:
        parser.error("no way for answers: give --secure, or --callback and --token-file")
    return arguments


def _port(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and int(text[:9]) <= 65_535):
        raise argparse.ArgumentTypeError(f"{text[:20]} is no port, expected 0 to 65535")
    return int(text)


def _mail_server(text: str) -> str:
    try:
        Server.of(text)
    except DomainError:
        expected = "expected smtp://host:port, smtp+starttls://user:password@host or smtps://user:password@host"
        raise argparse.ArgumentTypeError(f"it is no mail server, {expected}") from None
    return text


def _ean(text: str) -> str:
    try:
        return str(parse_ean13(text))
    except IdentifierError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def main(argv: list[str] | None = None, program: str = USUAL_PROGRAM) -> int:
    """Serve until stopped. Prints `ready http://127.0.0.1:PORT` once connections are taken."""
    arguments = parse_arguments(argv, program)
    set_up_logging()
    now = clock_from_environment().now
    try:
        named = arguments.package
        package = package_at(now()) if named is None else load_package(named)
        scenario = read_scenario(arguments.scenario)
        alone = _hold(arguments.folder)
        journal = Journal(arguments.folder)
        listener = _listen("127.0.0.1", arguments.port, "--port")
        ways: dict[str, Way] = {}
        if arguments.callback is not None:
            token = arguments.token_file.read_text(encoding="utf-8").strip()
            ways["http"] = HttpWay(arguments.callback, token)
        secure = _doors(arguments, package, now()) if arguments.secure else None
        if secure is not None:
            ways |= {"soap": secure[0].soap_way(now), "mail": secure[0].mail_way(now)}
        with alone:
            asyncio.run(_serve(Sandbox(package, scenario, journal, ways, now), now, listener, secure))
    except ImportError as error:
        sys.stderr.write(f"The sandbox cannot serve mail: {error}. Install rozvodna[sandbox].\n")
        return 2
    except (MarketError, DomainError, OSError) as error:
        sys.stderr.write(f"The sandbox cannot start: {error}\n")
        return 2
    return 0


@dataclass(frozen=True, slots=True)
class _Listeners:
    """Sockets that listen already: whoever is told of the ports can come at once."""

    soap: socket.socket
    smtp: socket.socket
    imap: socket.socket


def _doors(arguments: argparse.Namespace, package: FormatPackage, at: datetime) -> tuple[Doors, _Listeners]:
    host = arguments.host
    codes = [code.strip() for code in arguments.mail_codes.split(",") if code.strip()]
    for code in codes:
        package.message(code)
    listeners = _Listeners(
        _listen(host, arguments.soap_port, "--soap-port"),
        _listen(host, arguments.smtp_port, "--smtp-port"),
        _listen(host, arguments.imap_port, "--imap-port"),
    )
    ports = Ports(
        soap=listeners.soap.getsockname()[1],
        smtp=listeners.smtp.getsockname()[1],
        imap=listeners.imap.getsockname()[1],
        callback=arguments.callback_port or _free_port(host),
    )
    operator = package.envelope.market_operator
    made = make_doors(arguments.folder, host, ports, arguments.sender, operator, at, codes, arguments.mail_server)
    return made, listeners


def _hold(folder: Path) -> BinaryIO:
    """The folder's lock, held as long as the file is open. FormatError where another sandbox has it."""
    folder.mkdir(parents=True, exist_ok=True)
    lock = (folder / "lock").open("ab")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.close()
        raise FormatError(
            "sandbox_runs", f"A sandbox runs already in {folder}. End that one, or give this one another --folder."
        ) from None
    return lock


def _listen(host: str, port: int, option: str) -> socket.socket:
    """FormatError where it cannot be."""
    try:
        return socket.create_server((host, port), backlog=128)
    except (OSError, UnicodeError) as error:
        code = getattr(error, "errno", None) or 0
        why = os.strerror(code) if code > 0 else str(error)
        raise FormatError(
            "cannot_listen",
            f"It cannot listen on port {port} of {host} ({why}); name another port by {option} (0: a free one), "
            "another address of this machine by --host.",
        ) from None


def _free_port(host: str) -> int:
    with socket.create_server((host, 0)) as listener:
        return int(listener.getsockname()[1])


async def _serve(
    sandbox: Sandbox,
    now: Callable[[], datetime],
    listener: socket.socket,
    secure: tuple[Doors, _Listeners] | None,
) -> None:
    servers = [(_server(create_app(sandbox)), listener)]
    lines = [f"ready http://127.0.0.1:{listener.getsockname()[1]}"]
    if secure is not None:
        from central.market.sandbox.mail_server import Door, start_mail

        doors, listeners = secure
        key = doors.authority.key("operator", "sign", "decrypt")
        door = Door(sandbox, key, doors.them(), now)
        await start_mail(door, doors.server_context(), doors.password, listeners.smtp, listeners.imap)
        app = create_soap_app(sandbox, key, doors.them(), now)
        servers.append((_server(app, doors), listeners.soap))
        lines = [*_told(doors), *lines]
    sys.stdout.write("\n".join(lines) + "\n")
    sys.stdout.flush()
    await asyncio.gather(*(server.serve(sockets=[each]) for server, each in servers))


def _server(app: FastAPI, doors: Doors | None = None) -> uvicorn.Server:
    """Plain on this machine, or with mutual TLS."""
    if doors is None:
        return uvicorn.Server(uvicorn.Config(app, log_config=None, access_log=False, timeout_graceful_shutdown=STOP_S))
    folder = doors.authority.folder
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=STOP_S,
        ssl_certfile=str(folder / "operator-tls.pem"),
        ssl_keyfile=str(folder / "operator-tls.key"),
        ssl_ca_certs=str(doors.authority.ca_file),
        ssl_cert_reqs=ssl.CERT_REQUIRED,
    )
    return uvicorn.Server(config)


def _told(doors: Doors) -> list[str]:
    """Where it listens, what it made, and how a channel is pointed at it."""
    host, ports, folder = doors.host, doors.ports, doors.authority.folder.absolute()
    return [
        f"web services  https://{host}:{ports.soap}/ote/CDSService (mutual TLS, WS-Security)",
        f"mail in       smtp+starttls://{host}:{ports.smtp} (S/MIME)",
        f"mailbox       imap+starttls://{host}:{ports.imap}",
        f"call-back     https://{host}:{ports.callback}/ote is called with answers",
        f"certificates  {folder}: authority ca.pem, operator.pem, operator-tls.pem, ours.pem, ours-tls.pem",
        "To point Rozvodna at it:",
        f"  export ROZVODNA_MARKET_CHANNELS_FILE={shlex.quote(str(folder / SETTINGS_NAME))} "
        f"ROZVODNA_OTE_SENDER={doors.participant}",
        "  rozvodna central market-callback & rozvodna central market-channels &",
    ]
