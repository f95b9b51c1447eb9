"""`rozvodna market`: the market operator's archive of schemas in force, and what must be told to it.

Status 2 with a sentence on any fault.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from datetime import date
from pathlib import Path

from central.market.channels.open_channels import leads_to_production
from central.market.errors import MarketError
from central.market.format_package import find_packages, load_package, look_into, package_valid_on
from central.market.gas.by_hand import hand_over
from central.market.gas.waiting import WHY, csv_pieces
from central.market.months import data_month_of
from central.market.official.bounded import import_bounded
from central.market.official.install import Imported, parse_mappings
from central.market.sandbox import main as sandbox
from central.platform.clock import get_clock
from central.platform.database import make_engine, transaction
from central.platform.errors import DomainError
from central.platform.identity import SYSTEM
from central.platform.settings import get_settings
from central.workflow.telling.far import earlier_months
from central.workflow.telling.tell import tell
from shared.metering_day import PRAGUE

SANDBOX = "sandbox"


def main(arguments: Sequence[str]) -> int:
    """Run one act; 0 on success, 2 when something is wrong."""
    if arguments[:1] == [SANDBOX]:
        look_into(get_settings().home)
        folder = get_settings().home / "ote-sandbox"
        words = ["--secure", "--folder", str(folder), *arguments[1:]]
        return sandbox(words, "rozvodna market sandbox")
    options = _parser().parse_args(arguments)
    try:
        return int(options.act(options, look_into(get_settings().home)))
    except (DomainError, MarketError) as error:
        print(error.message, file=sys.stderr)
    except OSError as error:
        print(f"{error.filename}: {error.strerror}", file=sys.stderr)
    return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="rozvodna market", description="Formats of the market operator's messages.")
    acts = parser.add_subparsers(required=True, metavar="ACT")
    text = "compare the operator's XSD archive with our mappings, and put in force what our messages satisfy"
    taken = acts.add_parser("import-schemas", help=text, description=text)
    taken.set_defaults(act=_import)
    text = "the zip files as published; those of one release together, what they have not is not official any more"
    taken.add_argument("archives", type=Path, nargs="+", metavar="ARCHIVE", help=text)
    taken.add_argument("--name", help="name of the package; default official-DAY")
    taken.add_argument("--valid-from", type=date.fromisoformat, help="first day; default today")
    taken.add_argument("--base", help="package that gives what the archive has not; default the one valid that day")
    taken.add_argument("--mapping", action="append", default=[], metavar="FORMAT=FILE", help="another element mapping")
    taken.add_argument("--json", action="store_true", help="print the report as JSON")
    listed = acts.add_parser("formats", help="list the format packages and which messages are official")
    listed.set_defaults(act=_list)
    text = "find what must be told to the market operator and make its messages, as the service does by itself"
    told = acts.add_parser("tell", help=text, description=text)
    told.set_defaults(act=_tell)
    told.add_argument("--since", type=date.fromisoformat, help="first day whose acts are told; default the settings'")
    told.add_argument("--again", action="store_true", help="also what was rejected, as a new version")
    told.add_argument("--far", action="store_true", help="also of all earlier months, which the service takes in turn")
    acts.add_parser(SANDBOX, help="serve a sandbox of OTE with SOAP and mail, for training; --help for more")
    text = "write a month's meter data of gas, which wait for the operator's EDIGAS schemas, as CSV"
    gas = acts.add_parser("gas-export", help=text, description=text)
    gas.set_defaults(act=_export_gas)
    gas.add_argument("month", help="2026-03")
    gas.add_argument("file", type=Path, help="the CSV file to write")
    text = "the file is for the market operator: what must be told of the month and is whole counts as handed over"
    gas.add_argument("--hand-over", action="store_true", help=text)
    return parser


def _export_gas(options: argparse.Namespace, _folder: Path) -> int:
    month = data_month_of(options.month)
    engine = make_engine(get_settings().database_url, name="rozvodna-market", pool_size=1)
    try:
        with transaction(engine) as connection, options.file.open("wb") as file:
            file.writelines(csv_pieces(connection, month))
            marked = hand_over(connection, month, get_clock().now(), SYSTEM) if options.hand_over else None
    finally:
        engine.dispose()
    print(f"{options.file} is written. {WHY}")
    if marked is not None:
        print(f"duties handed over by it: {marked}")
    return 0


def _tell(options: argparse.Namespace, _folder: Path) -> int:
    settings, clock = get_settings(), get_clock()
    since = options.since or settings.market_since
    engine = make_engine(settings.database_url, name="rozvodna-market", pool_size=1)
    try:
        with transaction(engine) as connection:
            told = tell(
                connection,
                since,
                clock,
                SYSTEM,
                sender=settings.ote_sender,
                again=options.again,
                bulk_from=settings.market_bulk_from,
                is_production=leads_to_production(settings),
                far=earlier_months(since, clock.now()) if options.far and since is not None else (),
            )
    finally:
        engine.dispose()
    print(f"arose {told.arose}, changed {told.changed}, waived {told.waived}, messages made {told.made}")
    for duty, why in sorted(told.problems.items()):
        print(f"duty {duty}: {why}")
    return 0


def _import(options: argparse.Namespace, folder: Path) -> int:
    day = options.valid_from or get_clock().now().astimezone(PRAGUE).date()
    base = load_package(options.base) if options.base else package_valid_on(day)
    imported = import_bounded(
        base.name,
        options.archives,
        options.name or f"official-{day.isoformat()}",
        day,
        folder,
        dict(parse_mappings(options.mapping)),
    )
    if options.json:
        print(json.dumps({**asdict(imported), "folder": str(imported.folder)}, ensure_ascii=False, indent=2))
    else:
        print("\n".join(_told(imported)))
    return 0


def _told(imported: Imported) -> list[str]:
    lines = [f"{imported.name} is installed in {imported.folder}."]
    lines += [f"{name}: {path}" for name, path in sorted(imported.schemas.items())]
    lines += [f"{item.format} {item.path}: {item.sentence}" for item in imported.differences]
    lines += [
        f"message {item.code} ({item.format}) {'official' if item.is_official else 'sandbox'}: {item.why}"
        for item in imported.messages
    ]
    return lines


def _list(_options: argparse.Namespace, _folder: Path) -> int:
    for name in sorted(find_packages()):
        package = load_package(name)
        official = [entry.code for entry in package.data.messages if not package.is_sandbox_message(entry.code)]
        print(f"{name}  from {package.data.valid_from}  official: {', '.join(official) or 'none'}")
    return 0
