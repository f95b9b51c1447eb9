"""`rozvodna edge status`: a concentrator's state in the terminal, live.

Where it looks: a status page (http://host:port), a status file, or a configuration (then the file beside its outbox).
"""

import argparse
import json
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import httpx
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from edge.page.html import since
from edge.status import status_path

REFRESH_S: Final = 1.0
STALE_S: Final = 10.0
"""An agent writes its status at least once a second; a file older than this is of an agent that is gone."""

Status = Mapping[str, Any]
Look = Callable[[], Status]


class NoStatusError(RuntimeError):
    """There is nothing to show; the sentence says where it was looked for."""


def find(source: str) -> Look:
    """How to get the status that `source` names; raises `NoStatusError`."""
    if source.startswith(("http://", "https://")):
        return lambda: _fetch(source.rstrip("/") + "/status.json")
    path = Path(source)
    try:
        content = json.loads(path.read_bytes())
        outbox = content["outbox"]
    except OSError as error:
        raise NoStatusError(
            f"{source} cannot be read: {error.strerror}. Name a configuration or status file."
        ) from None
    except (ValueError, KeyError, TypeError):
        raise NoStatusError(f"{source} is neither a configuration nor a status file of an agent.") from None
    if not isinstance(outbox, dict) or not isinstance(outbox.get("path", ""), str):
        raise NoStatusError(f"{source} is neither a configuration nor a status file of an agent.")
    beside = status_path(Path(outbox["path"])) if "path" in outbox else path
    return lambda: _read(beside)


def _fetch(url: str) -> Status:
    try:
        answer = httpx.get(url, timeout=5.0, trust_env=False)
        answer.raise_for_status()
        found: Status = answer.json()
    except (httpx.HTTPError, ValueError) as error:
        raise NoStatusError(f"{url} gives no status: {error}. Is `page` in the agent's configuration?") from None
    return found


def _read(path: Path) -> Status:
    try:
        found: Status = json.loads(path.read_bytes())
        age = time.time() - path.stat().st_mtime
    except (OSError, ValueError) as error:
        raise NoStatusError(f"{path} gives no status: {error}. Does the agent run?") from None
    return {**found, "stale_s": age if age > STALE_S else None}


def show(look: Look, source: str) -> RenderableType:
    """What is seen now; raises `NoStatusError`, also where it is the status of something else."""
    status = look()
    try:
        return view(status)
    except (LookupError, TypeError, ValueError, AttributeError):
        raise NoStatusError(f"{source} gives no status of an agent of this version.") from None


def view(status: Status) -> RenderableType:
    """The status as tables."""
    outbox, uplink, due = status["outbox"], status["uplink"], status["due"]
    broker = "[green]connected[/]" if uplink["connected"] else f"[red]not connected[/] {_plain(uplink['last_error'])}"
    room = "" if outbox["has_room"] else "  [red]outbox full: meters are not read[/]"
    head = Text.from_markup(
        f"[bold]{_plain(status['edge'])}[/]  configuration {status['config_number']}  {status['clock']}\n"
        f"broker {broker}  outbox {outbox['pending']} blocks, {outbox['numbered_unacked']} batches under way{room}\n"
        f"to be read: {due['profile_days']} days, {due['samples']} samples"
    )
    if status.get("stale_s") is not None:
        head.append(f"\nThe file is {status['stale_s']:.0f} s old: the agent does not run.", style="bold red")
    buses = Table("bus", "state", "jobs", "failed", "busy s", "last error", expand=True)
    for name, bus in status["buses"].items():
        up = bus["state"] == "up"
        shown = (name, bus["state"], str(bus["jobs"]), str(bus["failed"]), f"{bus['busy_s']:.1f}")
        buses.add_row(*map(Text, shown), Text("" if up else bus["last_error"]), style=None if up else "red")
    meters = Table("meter", "bus", "last read", "failures", "last error", expand=True)
    for name, device in status["devices"].items():
        read = since(device["last_success"], status["clock"])
        shown = (name, device["bus"], read, str(device["failures"]), device["last_error"])
        meters.add_row(*map(Text, shown), style="red" if device["failures_in_a_row"] else None)
    return Group(head, buses, meters)


def _plain(text: str) -> str:
    return text.replace("[", r"\[")


def main(arguments: list[str], console: Console | None = None) -> int:
    """0 after Ctrl-C or `--once`, 2 where there is nothing to show."""
    parser = argparse.ArgumentParser(prog="rozvodna edge status", description=__doc__)
    parser.add_argument("source", help="http://host:port of a status page, a configuration, or a status file")
    parser.add_argument("--once", action="store_true", help="print it once and end")
    options = parser.parse_args(arguments)
    console = console or Console()
    try:
        look = find(options.source)
        shown = show(look, options.source)
        if options.once:
            console.print(shown)
            return 0
        with Live(shown, console=console, screen=console.is_terminal, auto_refresh=False) as live:
            while True:
                time.sleep(REFRESH_S)
                try:
                    shown = show(look, options.source)
                except NoStatusError as error:  # an agent that restarts is looked for again
                    live.update(Group(Text(str(error), style="bold red"), shown), refresh=True)
                    continue
                live.update(shown, refresh=True)
    except NoStatusError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    except KeyboardInterrupt:
        return 0
