"""`rozvodna package`: build, check, install and compare legislative packages. Status 2 with a sentence on any fault.

Files are checked without a database. `install`, `diff` with installed packages, `list`, `activate`, `trust` and the
like use the database of DATABASE_URL. An installed package is written NAME@VERSION.
"""

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import TypeVar

from sqlalchemy import Connection, select

from central.platform.clock import get_clock
from central.platform.database import make_engine, transaction
from central.platform.errors import BadInput, DomainError
from central.platform.identity import SYSTEM
from central.platform.settings import get_settings
from central.tariffs.diff import Difference, differences
from central.tariffs.install import Consent, install, require_installed, set_active
from central.tariffs.keys import distrust, trust, trusted_keys
from central.tariffs.package import Package
from central.tariffs.seal import PRODUCT_KEYS, require_signer, seal
from central.tariffs.source import read_source, spelled, write_source
from central.tariffs.summary import Summary, summary_of
from central.tariffs.tables import package as package_table
from central.tariffs.workbook import proposed, read_mapping, read_workbook, shipped_mapping
from central.workflow.packages import Comparison, compare, compare_with_active, read_package
from shared.control.keys import KeyFileError, key_id, key_text, make_key_file, parse_key, read_key_file, signing_public

MOST_CONTRACTS = 200
"""Contracts that a comparison prints; the number of all is printed with them."""

Options = argparse.Namespace
Act = Callable[[Options], int]


def main(arguments: Sequence[str]) -> int:
    """Run one act; 0 on success, 2 when something is wrong."""
    options = _parser().parse_args(arguments)
    act: Act = options.act
    try:
        return act(options)
    except DomainError as error:
        print(error.message, file=sys.stderr)
    except KeyFileError as error:
        print(error, file=sys.stderr)
    return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="rozvodna package", description=__doc__.partition("\n")[0])
    acts = parser.add_subparsers(required=True, metavar="ACT")

    def act(name: str, run: Act, text: str) -> argparse.ArgumentParser:
        sub = acts.add_parser(name, help=text, description=text)
        sub.set_defaults(act=run)
        return sub

    build = act("build", _build, "make a package of a source folder, with checksum and signature")
    build.add_argument("source", type=Path, help="folder with package.json and tables")
    build.add_argument("file", type=Path, help="the package to write")
    build.add_argument("--sign-key", type=Path, help="file of the private key; without it the package is not signed")
    unpack = act("unpack", _unpack, "write a package as a source folder to edit")
    unpack.add_argument("file", type=Path)
    unpack.add_argument("folder", type=Path)
    check = act("verify", _verify, "say what is in a package and what is wrong with it")
    check.add_argument("file", type=Path)
    check.add_argument("--key", action="append", default=[], help="public key to trust besides the product's (base64)")
    check.add_argument("--unsigned", action="store_true", help="a missing signature is no fault")
    put = act("install", _install, "install a package into the database")
    put.add_argument("file", type=Path)
    put.add_argument("--unsigned", metavar="REASON", help="allow a package without signature, for this reason")
    put.add_argument("--informative", metavar="REASON", help="settle by a package that does not bind, for this reason")
    diff = act("diff", _diff, "compare two packages; with one, against what is in force in its time")
    diff.add_argument("packages", nargs="+", metavar="PACKAGE", help="a file, or NAME@VERSION of an installed one")
    diff.add_argument(
        "--effect", action="store_true", help="which contracts and months of the database it would change"
    )
    book = act("workbook", _workbook, "compare a price decision's workbook (XLSX) with a package; installs nothing")
    book.add_argument("file", type=Path)
    book.add_argument("package", metavar="PACKAGE", help="a file, or NAME@VERSION of an installed one")
    book.add_argument("--mapping", type=Path, help="how the workbook lies (JSON); else the shipped, assumed one")
    book.add_argument("--folder", type=Path, help="write the package with these prices there, to edit and build")
    act("list", _list, "list the installed packages")
    for name, active, text in (
        ("activate", True, "settle by an installed package"),
        ("deactivate", False, "settle by it no more"),
    ):
        sub = act(name, _set_active, text)
        sub.set_defaults(active=active)
        sub.add_argument("package", metavar="NAME@VERSION")
        sub.add_argument("--reason", required=True)
    make = act("key", _key, "make a private key to sign packages with; prints its public half")
    make.add_argument("file", type=Path)
    add = act("trust", _trust, "trust the owner of a public key")
    add.add_argument("key", help="public key (base64)")
    add.add_argument("--name", required=True, help="whose it is")
    add.add_argument("--reason", required=True)
    drop = act("distrust", _distrust, "trust a key no more")
    drop.add_argument("id", help="the key's id, as verify prints it")
    drop.add_argument("--reason", required=True)
    return parser


def _build(options: Options) -> int:
    private = None if options.sign_key is None else read_key_file(options.sign_key)
    package = read_package(seal(read_source(options.source), private), str(options.source))
    options.file.write_text(spelled(package.content), encoding="utf-8")
    signed = "not signed" if private is None else f"signed with {key_id(signing_public(private))}"
    print(f"{options.file}  {package.name} {package.version}, {package.checksum}, {signed}")
    return 0


def _unpack(options: Options) -> int:
    write_source(_read(options.file), options.folder)
    print(options.folder)
    return 0


def _verify(options: Options) -> int:
    keys = dict(PRODUCT_KEYS)
    for text in options.key:
        public = parse_key(text, "The public key")
        keys[key_id(public)] = key_text(public)
    package = _read(options.file)
    signer = require_signer(package, keys)
    _print_summary(summary_of(package, signer))
    if signer is None and not options.unsigned:
        print(f"Package {package.name} {package.version} is not signed; it installs only where that is allowed.")
        return 2
    return 0


def _install(options: Options) -> int:
    package = _read(options.file)
    consent = Consent(options.unsigned, options.informative)
    new = _in_database(lambda connection: install(connection, package, SYSTEM, get_clock().now(), consent))
    print(f"{package.name} {package.version}: {'installed' if new else 'was installed already'}")
    if not package.binding and options.informative is None:
        print("It does not bind: nothing is settled by it until `rozvodna package activate`.")
    return 0


def _diff(options: Options) -> int:
    if len(options.packages) > 2:
        raise BadInput("packages", f"One or two packages are compared, {len(options.packages)} are given.")
    named = options.packages
    if len(named) == 2 and not options.effect and not any("@" in each for each in named):
        old, new = (_read(Path(each)) for each in named)
        _print_differences(differences(old, new))
        return 0
    for found in _in_database(lambda connection: _compared(connection, named)):
        old_name = "nothing in force" if found.old is None else f"{found.old.name} {found.old.version}"
        print(f"{old_name} -> {found.new.name} {found.new.version}")
        _print_differences(found.differences)
        _print_effect(found)
    return 0


def _compared(connection: Connection, named: Sequence[str]) -> list[Comparison]:
    packages = [_find(connection, each) for each in named]
    if len(packages) == 1:
        return compare_with_active(connection, packages[0], MOST_CONTRACTS)
    return [compare(connection, packages[0], packages[1], MOST_CONTRACTS)]


def _workbook(options: Options) -> int:
    mapping = shipped_mapping() if options.mapping is None else read_mapping(options.mapping.read_bytes())
    prices = read_workbook(options.file.read_bytes(), mapping)
    named = options.package
    if "@" in named and not Path(named).exists():
        package = _in_database(lambda connection: _find(connection, named))
    else:
        package = _read(Path(named))
    made = proposed(package, prices)
    print(f"{options.file} (mapping {mapping.mark}) against {package.name} {package.version}")
    _print_differences([each for each in differences(package, made) if each.kind != "package"])
    if options.folder is not None:
        write_source(made, options.folder)
        print(options.folder)
    return 0


def _list(_options: Options) -> int:
    rows = _in_database(lambda connection: connection.execute(_INSTALLED).all())
    for row in rows:
        signed = "unsigned" if row.signature is None else f"signed {row.signature.split(':')[1]}"
        state = "active" if row.active else "inactive"
        binding = "" if row.binding else ", does not bind"
        print(f"{row.name}@{row.version}  {row.valid.lower} to {row.valid.upper}  {state}, {signed}{binding}")
    return 0


def _set_active(options: Options) -> int:
    name, version = _named(options.package)
    now = get_clock().now()
    _in_database(lambda connection: set_active(connection, name, version, options.active, options.reason, SYSTEM, now))
    print(f"{options.package}: {'active' if options.active else 'inactive'}")
    return 0


def _key(options: Options) -> int:
    public = signing_public(make_key_file(options.file))
    print(f"id          {key_id(public)}\npublic key  {key_text(public)}")
    return 0


def _trust(options: Options) -> int:
    now = get_clock().now()
    print(_in_database(lambda connection: trust(connection, options.key, options.name, options.reason, SYSTEM, now)))
    return 0


def _distrust(options: Options) -> int:
    now = get_clock().now()
    _in_database(lambda connection: distrust(connection, options.id, options.reason, SYSTEM, now))
    return 0


_INSTALLED = select(
    *(
        column
        for column in package_table.c
        if column.name in {"name", "version", "valid", "active", "signature", "binding"}
    )
).order_by(package_table.c.scope, package_table.c.valid, package_table.c.id)


_T = TypeVar("_T")


def _in_database(work: Callable[[Connection], _T]) -> _T:
    engine = make_engine(get_settings().database_url, name="rozvodna-package", pool_size=1)
    try:
        with transaction(engine) as connection:
            return work(connection)
    finally:
        engine.dispose()


def _read(path: Path) -> Package:
    return read_package(path.read_bytes(), path.name)


def _find(connection: Connection, named: str) -> Package:
    if "@" in named and not Path(named).exists():
        package = require_installed(connection, *_named(named))
    else:
        package = _read(Path(named))
        require_signer(package, trusted_keys(connection))
    return package


def _named(text: str) -> tuple[str, str]:
    name, separator, version = text.partition("@")
    if not separator or not name or not version:
        raise BadInput("package", f"{text!r} names no installed package; NAME@VERSION is expected, see `list`.")
    return name, version


def _print_summary(summary: Summary) -> None:
    print(f"{summary.name} {summary.version}: {summary.title}")
    print(f"  valid     {summary.first} to {summary.end} (scope {summary.scope})")
    print(f"  binding   {'yes' if summary.binding else 'no, announced only'}{', example' if summary.example else ''}")
    print(f"  checksum  {summary.checksum}")
    print(f"  signed    {summary.signer or 'no'}")
    print(f"  operators {', '.join(summary.operators)}")
    print(f"  values    {_counted(summary.values)}")
    print(f"  marks     {_counted(summary.marks)}")
    for title, lines in (("rules", summary.rules), ("deadlines", summary.deadlines), ("notes", summary.notes)):
        for line in lines:
            print(f"  {title:<9} {line}")


def _counted(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in counts.items()) or "none"


def _print_differences(found: Sequence[Difference]) -> None:
    for each in found:
        print(f"  {each.text}")
    if not found:
        print("  no differences")


def _print_effect(found: Comparison) -> None:
    print(f"{found.contracts} contracts would be billed otherwise")
    for row in found.rows:
        parts = [
            f"{title} {_months(months)}"
            for title, months in (
                ("to be settled", row.unsettled),
                ("settled, not invoiced", row.settled),
                ("invoiced, stays", row.invoiced),
            )
            if months
        ]
        print(f"  {row.number} ({row.payer}, {row.points} points): {'; '.join(parts)}")
    if found.contracts > len(found.rows):
        print(f"  and {found.contracts - len(found.rows)} more")


def _months(months: Sequence[date]) -> str:
    """Months as runs: 2026-01..2026-03, 2026-05."""
    runs: list[tuple[date, date]] = []
    for month in months:
        if runs and (month.year * 12 + month.month) - (runs[-1][1].year * 12 + runs[-1][1].month) == 1:
            runs[-1] = (runs[-1][0], month)
        else:
            runs.append((month, month))
    return ", ".join(f"{one:%Y-%m}" if one == last else f"{one:%Y-%m}..{last:%Y-%m}" for one, last in runs)
