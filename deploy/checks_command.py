"""`rozvodna checks`: run the active checks over a period, and tell what each found and how long it took.

Status 1 where a live error was found, 2 with a sentence on any fault.
"""

import argparse
import json
import re
import sys
from collections.abc import Sequence
from datetime import date
from typing import Any

from central.checks.bases import Scope
from central.checks.run import CheckRunMade, run_checks
from central.checks.settings import get_definitions
from central.checks.verdict import GROUPS
from central.platform.clock import get_clock
from central.platform.database import make_engine, transaction
from central.platform.errors import DomainError
from central.platform.identity import SYSTEM
from central.platform.settings import get_settings

_PERIOD = re.compile(r"20\d\d-(0[1-9]|1[0-2])")


def main(arguments: Sequence[str]) -> int:
    """Run one act."""
    options = _parser().parse_args(arguments)
    engine = make_engine(get_settings().database_url, name="rozvodna-checks", pool_size=1)
    try:
        with transaction(engine) as connection:
            scope = Scope(month=options.period, groups=tuple(options.group or GROUPS))
            made = run_checks(connection, scope, "manual", SYSTEM, get_clock().now())
            names = {row.number: row.name_en for row in get_definitions(connection)}
    except DomainError as error:
        print(error.message, file=sys.stderr)
        return 2
    finally:
        engine.dispose()
    told = _document(made, names)
    print(json.dumps(told, ensure_ascii=False, indent=2) if options.json else _text(told))
    return 1 if made.results["error"] else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="rozvodna checks", description="Checks of billing bases (Energo-Kontroly).")
    acts = parser.add_subparsers(required=True, metavar="ACT")
    text = "run the active checks over the bases of a period that are not invoiced"
    run = acts.add_parser("run", help=text, description=text)
    run.add_argument("--period", type=_month, required=True, metavar="YYYY-MM", help="month of the payment calendar")
    run.add_argument("--group", action="append", choices=tuple(GROUPS), help="of these groups only; may be repeated")
    run.add_argument("--json", action="store_true", help="print the report as JSON")
    return parser


def _month(given: str) -> date:
    if not _PERIOD.fullmatch(given):
        raise argparse.ArgumentTypeError(f"'{given}' is no month; one such as 2026-03 is expected.")
    return date.fromisoformat(f"{given}-01")


def _document(made: CheckRunMade, names: dict[int, str]) -> dict[str, Any]:
    checks = [{"check": number, "name": names[number], **part} for number, part in sorted(made.parts.items())]
    return {"run": made.id, "bases": made.bases, "results": made.results, "checks": checks}


def _text(told: dict[str, Any]) -> str:
    lines = [f"run {told['run']}: {told['bases']} bases"]
    if not told["bases"]:
        lines.append("      No basis that waits to be invoiced lies in a row of the payment calendar in that period.")
    for check in told["checks"]:
        counted = ", ".join(f"{key} {number}" for key, number in check["results"].items() if number) or "nothing"
        failed = "" if check["failed"] is None else f"; could not run: {check['failed']}"
        lines.append(f"{check['check']:>5} {check['name']}: {counted} ({check['seconds']:.2f} s){failed}")
    return "\n".join(lines)
