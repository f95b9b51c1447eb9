"""The status page: one table of buses, one of meters, readable on a telephone; no script, nothing from elsewhere."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from html import escape
from typing import Any, Final

REFRESH_S: Final = 5
_HEAD: Final = (
    '<!doctype html><html lang="en"><head><meta charset="utf-8">'
    '<meta name="viewport" content="width=device-width, initial-scale=1">'
    f'<meta http-equiv="refresh" content="{REFRESH_S}">'
    "<style>body{font:15px/1.4 system-ui,sans-serif;margin:1.2rem;max-width:70rem}"
    "table{border-collapse:collapse;width:100%;margin:.4rem 0 1.4rem}"
    "th,td{text-align:left;padding:.25rem .6rem;border-bottom:1px solid #ddd;vertical-align:top}"
    "td.n,th.n{text-align:right;font-variant-numeric:tabular-nums}.bad{background:#fde8e6}.good{color:#1a6b34}"
    "small{color:#666}</style>"
)


def page(status: Mapping[str, Any]) -> bytes:
    """The page of a status (edge.status.compose), UTF-8."""
    title = escape(f"{status['edge']} · Rozvodna")
    uplink, outbox, due = status["uplink"], status["outbox"], status["due"]
    facts = [
        ("Configuration", status["config_number"]),
        ("Clock", status["clock"]),
        ("Broker", "connected" if uplink["connected"] else f"not connected: {uplink['last_error'] or 'not yet'}"),
        ("Waiting in the outbox", f"{outbox['pending']} blocks, {outbox['numbered_unacked']} batches under way"),
        ("Room in the outbox", "yes" if outbox["has_room"] else "no: meters are not read"),
        ("Still to be read", f"{due['profile_days']} days of profiles, {due['samples']} samples"),
    ]
    parts = [
        _HEAD,
        f"<title>{title}</title></head><body><h1>{escape(status['edge'])}</h1>",
        _table((), ((name, value) for name, value in facts), ()),
        "<h2>Buses</h2>",
        _table(
            ("Bus", "State", "Jobs", "Failed", "Last error"),
            (_bus_row(name, bus) for name, bus in status["buses"].items()),
            (2, 3),
        ),
        "<h2>Meters</h2>",
        _table(
            ("Meter", "Bus", "Last read", "Failures", "Last error"),
            (_meter_row(name, device, status["clock"]) for name, device in status["devices"].items()),
            (3,),
        ),
        '<small><a href="/metrics">metrics</a> · <a href="/status.json">status.json</a></small></body></html>',
    ]
    return "".join(parts).encode()


def _bus_row(name: str, bus: Mapping[str, Any]) -> Sequence[Any]:
    return name, bus["state"], bus["jobs"], bus["failed"], "" if bus["state"] == "up" else bus["last_error"]


def _meter_row(name: str, device: Mapping[str, Any], clock: str) -> Sequence[Any]:
    return name, device["bus"], since(device["last_success"], clock), device["failures"], device["last_error"]


def since(instant: str | None, clock: str) -> str:
    """How long ago `instant` was at `clock` (both ISO 8601), in the two largest units; "never" for None."""
    if instant is None:
        return "never"
    seconds = int((datetime.fromisoformat(clock) - datetime.fromisoformat(instant)).total_seconds())
    if seconds < 0:
        return f"at {instant}"
    for size, unit, smaller, small_unit in ((86_400, "d", 3600, "h"), (3600, "h", 60, "min"), (60, "min", 1, "s")):
        if seconds >= size:
            return f"{seconds // size} {unit} {seconds % size // smaller} {small_unit} ago"
    return f"{seconds} s ago"


def _table(head: Sequence[str], rows: Iterable[Sequence[Any]], numeric: Sequence[int]) -> str:
    def cells(tag: str, row: Sequence[Any]) -> str:
        return "".join(
            f"<{tag}{' class=n' if n in numeric else ''}>{escape(str(cell))}</{tag}>" for n, cell in enumerate(row)
        )

    def line(tag: str, row: Sequence[Any], mark: str = "") -> str:
        return f"<tr{mark}>{cells(tag, row)}</tr>"

    heading = line("th", head) if head else ""
    body = "".join(line("td", row, " class=bad" if head and row[-1] else "") for row in rows)
    return f"<table>{heading}{body}</table>"
