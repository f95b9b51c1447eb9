"""Central's processes and acts: `python -m central SUBCOMMAND`. Each room is imported only when it is asked for."""

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict
from datetime import date
from importlib import import_module
from pathlib import Path
from typing import Any

from central.platform.errors import DomainError
from central.platform.log import set_up_logging
from central.platform.settings import Settings, get_settings

Act = Callable[[Settings, argparse.Namespace], int | None]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one subcommand; 0 on success, 2 when what was given is refused."""
    parser = _parser()
    options, rest = parser.parse_known_args(arguments)
    options.rest = rest
    if options.rest and options.act is not _sandbox:
        parser.error(f"unrecognized arguments: {' '.join(options.rest)}")
    settings = get_settings()
    set_up_logging(settings.log_level, json_lines=settings.log_json)
    act: Act = options.act
    try:
        return act(settings, options) or 0
    except DomainError as error:
        print(f"{error.code}: {error.message}", file=sys.stderr)  # noqa: T201 - a command line's answer
        return 2
    except KeyboardInterrupt:
        return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="central", description="The operator's system: its services and acts.")
    commands = parser.add_subparsers(required=True, metavar="SUBCOMMAND")

    def command(name: str, act: Act, text: str) -> argparse.ArgumentParser:
        sub = commands.add_parser(name, help=text, description=text)
        sub.set_defaults(act=act)
        return sub

    command("ingest", _service("central.ingest.service"), "take batches from the broker into the database")
    command("control", _service("central.network.control_service"), "send configurations and commands to concentrators")
    command("keys", _keys, "print central's public key, which concentrators trust; makes the pair where there is none")
    enrol = command("enrol", _enrol, "take what `rozvodna edge enrol` printed: the key of a concentrator")
    enrol.add_argument("file", type=Path, help="enrolment (JSON); - for standard input")
    rotate = command("rotate-store-key", _rotate_store_key, "encrypt the meters' keys under another store key")
    rotate.add_argument("file", type=Path, help="file of the new key; made where it is missing")
    command("consolidate", _service("central.readings.service"), "make day profiles of what ingest took in")
    command(
        "watch-imports", _watch_imports, "import files of readings from the watched folder (ROZVODNA_IMPORT_FOLDER)"
    )
    command(
        "housekeeping",
        _service("central.workflow.housekeeping.service"),
        "drop old data by rule, once a day; open and close service cases",
    )
    command("post", _service("central.invoicing.delivery.post"), "send queued documents by mail (ROZVODNA_SMTP_URL)")
    command("market-channels", _market_channels, "fetch the market operator's mail and files")
    command("market-callback", _market_callback, "serve the call-back service, which the market operator calls")
    api = command("api", _api, "serve the HTTP interface")
    api.add_argument("--host", help="address to listen on (ROZVODNA_API_HOST)")
    api.add_argument("--port", type=int, help="port to listen on (ROZVODNA_API_PORT)")
    migrate = command("migrate", _migrate, "bring the database's schema to the newest revision")
    migrate.add_argument("--revision", default="head")
    site = command("load-site", _load_site, "load registry and network of a site from a JSON file, all or nothing")
    site.add_argument("file", type=Path)
    table = command("import-registry", _import_registry, "import customers, supply points or meters from a table")
    table.add_argument("file", type=Path)
    table.add_argument("--mapping", required=True, help="saved or shipped: customers, supply-points, meters, ...-xlsx")
    table.add_argument("--check", action="store_true", help="only say what it would do")
    written = command("export-registry", _export_registry, "write customers, supply points or meters to a file")
    written.add_argument("file", type=Path)
    written.add_argument("--mapping", required=True)
    export = command("export", _export, "write profiles or register states of channels to a file")
    export.add_argument("what", choices=["profiles", "states"])
    export.add_argument("--from", dest="first", type=date.fromisoformat, required=True, help="first metering day")
    export.add_argument("--to", dest="end", type=date.fromisoformat, required=True, help="the day after the last one")
    export.add_argument("--channel", type=int, action="append", help="a channel, may be repeated; default all")
    export.add_argument("--format", choices=["csv", "xlsx", "parquet"], default="csv")
    export.add_argument("--style", choices=["iso", "cs"], default="iso")
    export.add_argument("--all-versions", action="store_true")
    export.add_argument("--out", type=Path, required=True)
    life = command("new-incarnation", _new_incarnation, "say that the database was restored: edges offer again")
    life.add_argument("--reason", default="said by the operator")
    # The sandbox reads its own arguments, its help included.
    commands.add_parser("ote-sandbox", help="serve a sandbox of the market operator", add_help=False).set_defaults(
        act=_sandbox
    )
    return parser


def _service(module: str) -> Act:
    def act(settings: Settings, _options: argparse.Namespace) -> int | None:
        result: int | None = import_module(module).main(settings)
        return result

    return act


def _market_channels(settings: Settings, _options: argparse.Namespace) -> int | None:
    import_module("central.platform.hooks").load_hooks()
    result: int | None = import_module("central.market.channels.service").main(settings)
    return result


def _sandbox(settings: Settings, options: argparse.Namespace) -> int | None:
    import_module("central.market.format_package").look_into(settings.home)
    result: int | None = import_module("central.market.sandbox.command").main(options.rest)
    return result


def _market_callback(settings: Settings, _options: argparse.Namespace) -> None:
    from central.market.channels.service import callback_main
    from central.platform.hooks import load_hooks

    load_hooks()
    callback_main(settings)


def _watch_imports(settings: Settings, _options: argparse.Namespace) -> None:
    from central.market.format_package import look_into
    from central.market.interval_import import install_reader
    from central.readings.transfer.service import main as watch

    look_into(settings.home)
    install_reader()
    watch(settings)


def _api(settings: Settings, options: argparse.Namespace) -> None:
    import uvicorn

    from central.api.app import create_app

    host, port = options.host or settings.api_host, options.port or settings.api_port
    uvicorn.run(create_app(settings), host=host, port=port, log_config=None, access_log=False)


def _migrate(settings: Settings, options: argparse.Namespace) -> None:
    from central.platform.migrations import upgrade

    upgrade(settings.database_url, options.revision)


def _load_site(settings: Settings, options: argparse.Namespace) -> None:
    from central.platform.clock import get_clock
    from central.platform.database import make_engine, transaction
    from central.platform.hooks import load_hooks
    from central.platform.identity import SYSTEM
    from central.workflow.load_site import load_site
    from central.workflow.site_file import read_site

    load_hooks()
    site = read_site(options.file.read_bytes())
    engine = make_engine(settings.database_url)
    with transaction(engine) as connection:
        outcomes = load_site(connection, site, SYSTEM, get_clock().now())
    _answer({section: asdict(outcome) for section, outcome in outcomes.items()})


def _keys(settings: Settings, _options: argparse.Namespace) -> None:
    from central.network.keys import signing_key
    from shared.control.keys import key_id, key_text, signing_public

    public = signing_public(signing_key(settings.control_key_path))
    _answer({"central_key": key_text(public), "key_id": key_id(public)})


def _enrol(settings: Settings, options: argparse.Namespace) -> None:
    from central.network.enrolment import enrol_from
    from central.platform.clock import get_clock
    from central.platform.database import make_engine, transaction
    from central.platform.identity import SYSTEM

    text = sys.stdin.buffer.read() if str(options.file) == "-" else options.file.read_bytes()
    with transaction(make_engine(settings.database_url)) as connection:
        _answer(enrol_from(connection, text, SYSTEM, get_clock().now()))


def _rotate_store_key(settings: Settings, options: argparse.Namespace) -> None:
    from central.network.meter_keys import KeyStore, rotate
    from central.platform import audit
    from central.platform.clock import get_clock
    from central.platform.database import make_engine, transaction
    from central.platform.identity import SYSTEM

    old, new = KeyStore(settings.store_key_path), KeyStore(options.file)
    with transaction(make_engine(settings.database_url)) as connection:
        number = rotate(connection, old, new)
        details = {"keys": number, "before": old.name, "after": new.name}
        audit.record(connection, SYSTEM, "store_key.rotate", f"store_key/{new.name}", details, get_clock().now())
    _answer(details)


def _export(settings: Settings, options: argparse.Namespace) -> None:
    from central.platform.database import make_engine
    from central.readings.transfer.export_act import export

    rows = export(
        make_engine(settings.database_url),
        options.what,
        options.out,
        first=options.first,
        end=options.end,
        channels=options.channel,
        file_format=options.format,
        style=options.style,
        all_versions=options.all_versions,
    )
    _answer({"file": str(options.out), "rows": rows})


def _import_registry(settings: Settings, options: argparse.Namespace) -> int:
    from central.platform.clock import get_clock
    from central.platform.database import make_engine, transaction
    from central.platform.hooks import load_hooks
    from central.platform.identity import SYSTEM
    from central.workflow.registry_import import service

    load_hooks()
    content = options.file.read_bytes()
    with transaction(make_engine(settings.database_url)) as connection:
        if options.check:
            report = service.check_file(connection, content, options.mapping)
        else:
            now = get_clock().now()
            report = service.import_file(connection, content, options.file.name, options.mapping, SYSTEM, now)
    for fault in report.problems:
        where = ", ".join(f"{what} {at}" for what, at in (("line", fault.line), ("column", fault.column)) if at)
        print(f"{where or 'file'}: {fault.message}", file=sys.stderr)  # noqa: T201 - a command line's answer
    imported = report.imported is not None and not report.repeated
    _answer({"rows": report.rows, "counts": report.counts, "problems": report.problem_count, "imported": imported})
    return 2 if report.problem_count else 0


def _export_registry(settings: Settings, options: argparse.Namespace) -> None:
    from central.platform.clock import get_clock
    from central.platform.database import make_engine, transaction
    from central.workflow.registry_import.exporting import export_file
    from central.workflow.registry_import.service import newest_mapping
    from shared.metering_day import PRAGUE

    now = get_clock().now()
    with transaction(make_engine(settings.database_url)) as connection:
        _, mapping = newest_mapping(connection, options.mapping)
        octets = export_file(connection, mapping, now, now.astimezone(PRAGUE).date())
    options.file.write_bytes(octets)
    _answer({"file": str(options.file), "octets": len(octets)})


def _new_incarnation(settings: Settings, options: argparse.Namespace) -> None:
    from central.platform import audit
    from central.platform.clock import get_clock
    from central.platform.database import make_engine, transaction
    from central.platform.identity import SYSTEM
    from central.platform.incarnation import new_incarnation

    now = get_clock().now()
    with transaction(make_engine(settings.database_url)) as connection:
        identifier = new_incarnation(connection, now, options.reason)
        audit.record(connection, SYSTEM, "incarnation.new", identifier, {"reason": options.reason}, now)
    _answer({"incarnation": identifier})


def _answer(result: dict[str, Any]) -> None:
    print(json.dumps(result, ensure_ascii=False))  # noqa: T201 - a command line's answer


if __name__ == "__main__":
    sys.exit(main())
