"""`python -m central ote-sandbox`: the sandbox as a process of its own."""

import argparse
import socket
import sys
from pathlib import Path

import uvicorn

from central.market.errors import MarketError
from central.market.format_package import load_package
from central.market.sandbox.journal import Journal
from central.market.sandbox.scenario import read_scenario
from central.market.sandbox.server import Callback, Sandbox, create_app
from central.platform.log import set_up_logging
from shared.clock import clock_from_environment

DEFAULT_FOLDER = Path(".rozvodna/ote-sandbox")


def parse_arguments(argv: list[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="central ote-sandbox", description="A sandbox of OTE for our formats.")
    parser.add_argument("--port", type=int, required=True, help="loopback port; 0 takes a free one")
    parser.add_argument("--callback", required=True, help="URL that takes the answers, .../v1/market/callback")
    parser.add_argument("--token-file", type=Path, required=True, help="file with the bearer token of the call-back")
    parser.add_argument("--scenario", type=Path, help="JSON file: registered senders and points, delays, exceptions")
    parser.add_argument("--folder", type=Path, default=DEFAULT_FOLDER, help="where it keeps what it gets")
    parser.add_argument("--package", default="sandbox-2026", help="format package")
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> int:
    """Serve until stopped. Prints `ready http://127.0.0.1:PORT` once connections are taken."""
    arguments = parse_arguments(argv)
    set_up_logging()
    try:
        package = load_package(arguments.package)
        scenario = read_scenario(arguments.scenario)
        token = arguments.token_file.read_text(encoding="utf-8").strip()
        listener = socket.create_server(("127.0.0.1", arguments.port), backlog=128)
    except (MarketError, OSError) as error:
        sys.stderr.write(f"The sandbox cannot start: {error}\n")
        return 2
    clock = clock_from_environment()
    sandbox = Sandbox(package, scenario, Journal(arguments.folder), Callback(arguments.callback, token), clock.now)
    sys.stdout.write(f"ready http://127.0.0.1:{listener.getsockname()[1]}\n")
    sys.stdout.flush()
    server = uvicorn.Server(uvicorn.Config(create_app(sandbox), log_config=None, access_log=False))
    server.run(sockets=[listener])
    return 0
