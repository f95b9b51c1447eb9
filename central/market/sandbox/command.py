"""`python -m central ote-sandbox` and `rozvodna market sandbox`: the sandbox as a process of its own."""

import argparse
import asyncio
import socket
import ssl
import sys
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import uvicorn
from fastapi import FastAPI

from central.market.errors import MarketError
from central.market.format_package import FormatPackage, load_package, package_valid_on
from central.market.sandbox.journal import Journal
from central.market.sandbox.operator import Sandbox
from central.market.sandbox.scenario import Scenario, read_scenario
from central.market.sandbox.secure import SETTINGS_NAME, Doors, Ports, make_doors
from central.market.sandbox.server import create_app, create_soap_app
from central.market.sandbox.ways import HttpWay, Way
from central.platform.errors import DomainError
from central.platform.log import set_up_logging
from shared.clock import clock_from_environment
from shared.identifiers import IdentifierError, parse_ean13

DEFAULT_FOLDER = Path(".rozvodna/ote-sandbox")
USUAL_SENDER = "8591824900017"
MAIL_CODES = "GP6,XG1,XG4,GO7,GSK,GSN,GSQ,XG7"


def parse_arguments(argv: list[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="central ote-sandbox",
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
    secure.add_argument("--mail-server", help="smtp://... that answers by mail are handed to, not the own mailbox")
    arguments = parser.parse_args(argv)
    if (arguments.callback is None) != (arguments.token_file is None):
        parser.error("--callback and --token-file belong together")
    if arguments.callback is None and not arguments.secure:
        parser.error("no way for answers: give --secure, or --callback and --token-file")
    return arguments


def _port(text: str) -> int:
    number = int(text)
    if not 0 <= number <= 65_535:
        raise argparse.ArgumentTypeError(f"{number} is no port, expected 0 to 65535")
    return number


def _ean(text: str) -> str:
    try:
        return str(parse_ean13(text))
    except IdentifierError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def main(argv: list[str] | None = None) -> int:
    """Serve until stopped. Prints `ready http://127.0.0.1:PORT` once connections are taken."""
    arguments = parse_arguments(argv)
    set_up_logging()
    now = clock_from_environment().now
    try:
        named = arguments.package
        package = package_valid_on(now().date()) if named is None else load_package(named)
        scenario = read_scenario(arguments.scenario)
        listener = socket.create_server(("127.0.0.1", arguments.port), backlog=128)
        ways: dict[str, Way] = {}
        if arguments.callback is not None:
            token = arguments.token_file.read_text(encoding="utf-8").strip()
            ways["http"] = HttpWay(arguments.callback, token)
        doors, soap_listener = _doors(arguments, package, now) if arguments.secure else (None, None)
        if doors is not None:
            ways |= {"soap": doors.soap_way(now), "mail": doors.mail_way(now)}
        asyncio.run(_serve(arguments, package, scenario, ways, now, listener, doors, soap_listener))
    except ImportError as error:
        sys.stderr.write(f"The sandbox cannot serve mail: {error}. Install rozvodna[sandbox].\n")
        return 2
    except (MarketError, DomainError, OSError) as error:
        sys.stderr.write(f"The sandbox cannot start: {error}\n")
        return 2
    return 0


def _doors(
    arguments: argparse.Namespace, package: FormatPackage, now: Callable[[], datetime]
) -> tuple[Doors, socket.socket]:
    host = arguments.host
    listener = socket.create_server((host, arguments.soap_port), backlog=128)
    ports = Ports(
        listener.getsockname()[1],
        *(port or _free_port(host) for port in (arguments.smtp_port, arguments.imap_port, arguments.callback_port)),
    )
    codes = [code for code in arguments.mail_codes.split(",") if code]
    for code in codes:
        package.message(code)
    operator = package.envelope.market_operator
    made = make_doors(arguments.folder, host, ports, arguments.sender, operator, now(), codes, arguments.mail_server)
    return made, listener


def _free_port(host: str) -> int:
    with socket.create_server((host, 0)) as listener:
        return int(listener.getsockname()[1])


async def _serve(
    arguments: argparse.Namespace,
    package: FormatPackage,
    scenario: Scenario,
    ways: dict[str, Way],
    now: Callable[[], datetime],
    listener: socket.socket,
    doors: Doors | None,
    soap_listener: socket.socket | None,
) -> None:
    sandbox = Sandbox(package, scenario, Journal(arguments.folder), ways, now)
    servers = [_server(create_app(sandbox)).serve(sockets=[listener])]
    lines = [f"ready http://127.0.0.1:{listener.getsockname()[1]}"]
    if doors is not None and soap_listener is not None:
        from central.market.sandbox.mail_server import Door, start_mail

        key = doors.authority.key("operator", "sign", "decrypt")
        door = Door(sandbox, key, doors.them(), now)
        await start_mail(door, doors.server_context(), doors.password, doors.host, doors.ports.smtp, doors.ports.imap)
        app = create_soap_app(sandbox, key, doors.them(), now)
        servers.append(_server(app, doors).serve(sockets=[soap_listener]))
        lines = [*_told(doors), *lines]
    sys.stdout.write("\n".join(lines) + "\n")
    sys.stdout.flush()
    await asyncio.gather(*servers)


def _server(app: FastAPI, doors: Doors | None = None) -> uvicorn.Server:
    """Plain on this machine, or with mutual TLS."""
    if doors is None:
        return uvicorn.Server(uvicorn.Config(app, log_config=None, access_log=False))
    folder = doors.authority.folder
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
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
        f"  export ROZVODNA_MARKET_CHANNELS_FILE={folder / SETTINGS_NAME} ROZVODNA_OTE_SENDER={doors.participant}",
        "  python -m central market-callback & python -m central market-channels &",
    ]
