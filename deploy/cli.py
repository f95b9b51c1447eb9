"""The command `rozvodna`: the embedded stack, the processes, the demo, the benchmarks."""

from __future__ import annotations

import importlib
import importlib.metadata
import io
import json
import runpy
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Annotated, NoReturn
from urllib.parse import urlsplit

import typer

from deploy.stack.errors import StackError
from deploy.stack.local import LocalStack, StackState, home_folder

__all__ = ["app", "main"]

_TOP = Path(__file__).resolve().parent.parent

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="From the meter's terminals to the invoice and the market operator. State lies in ROZVODNA_HOME (.rozvodna).",
)
stack_app = typer.Typer(
    no_args_is_help=True,
    help="TimescaleDB and mosquitto on free loopback ports. DATABASE_URL and MQTT_URL replace the part that they name.",
)
app.add_typer(stack_app, name="stack")

# The processes read their own arguments, --help among them.
_PASS_ON = {"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []}


@stack_app.command("up")
def stack_up() -> None:
    """Start what does not run yet (fetched first where the machine lacks it) and say where it is."""
    _print_state(LocalStack().up())


@stack_app.command("down")
def stack_down() -> None:
    """Stop the database and the broker. Data stay."""
    LocalStack().down()
    print("stopped")


@stack_app.command("status")
def stack_status() -> None:
    """Say what runs. Status 0 if all of it does, 3 if something is stopped."""
    status = LocalStack().status()
    print(f"database  {status.database}\nbroker    {status.broker}")
    if status.state is not None:
        _print_state(status.state)
    if "stopped" in (status.database, status.broker):
        raise typer.Exit(3)


@stack_app.command("env")
def stack_env() -> None:
    """Print DATABASE_URL and MQTT_URL, with passwords, as shell exports: eval "$(rozvodna stack env)"."""
    state = LocalStack().read_state()
    if state is None:
        raise StackError("The stack was never started; call `rozvodna stack up`.")
    print(f"export DATABASE_URL={shlex.quote(state.database_url)}")
    print(f"export MQTT_URL={shlex.quote(state.mqtt_url)}")


@stack_app.command("remove")
def stack_remove() -> None:
    """Stop every instance and remove its data: databases, accounts of the broker. There is no way back."""
    LocalStack.destroy_all(home_folder())
    print("removed")


@app.command("sim", context_settings=_PASS_ON)
def sim(context: typer.Context) -> None:
    """Simulated meters of one scenario: rozvodna sim SCENARIO.json; a made-up site for central: rozvodna sim site
    --points N [--seed S] [--out FOLDER]
    """
    if context.args[:1] == ["site"]:
        raise typer.Exit(importlib.import_module("deploy.sites.command").main(context.args[1:]))
    _run_module("firmware_sims", context.args)


@app.command("edge", context_settings=_PASS_ON)
def edge(context: typer.Context) -> None:
    """A concentrator's agent: rozvodna edge CONFIG.json; how it is: rozvodna edge status CONFIG.json; its key for
    secrets, made once: rozvodna edge enrol CONFIG.json; what a DLMS meter has: rozvodna edge discover CONFIG.json
    DEVICE
    """
    if context.args[:1] == ["status"]:
        raise typer.Exit(importlib.import_module("deploy.edge_status").main(context.args[1:]))
    _run_module("edge", context.args)


@app.command("central", context_settings=_PASS_ON)
def central(context: typer.Context) -> None:
    """The operator's system: rozvodna central ingest | consolidate | control | api | migrate | load-site | keys | enrol
    | ote-sandbox ...
    """
    _run_module("central", context.args)


@app.command("package", context_settings=_PASS_ON)
def package(context: typer.Context) -> None:
    """Legislative packages: rozvodna package build | unpack | verify | install | diff | list | activate | deactivate |
    key | trust | distrust ...
    """
    raise typer.Exit(importlib.import_module("deploy.package_command").main(context.args))


@app.command("market", context_settings=_PASS_ON)
def market(context: typer.Context) -> None:
    """Formats of the market operator's messages: rozvodna market import-schemas ARCHIVE.zip | formats | sandbox"""
    raise typer.Exit(importlib.import_module("deploy.market_command").main(context.args))


@app.command("checks", context_settings=_PASS_ON)
def checks(context: typer.Context) -> None:
    """Checks of billing bases: rozvodna checks run --period 2026-03 [--json]"""
    raise typer.Exit(importlib.import_module("deploy.checks_command").main(context.args))


@app.command("demo")
def demo(
    once: Annotated[
        bool, typer.Option("--once", help="End after the report; status 0 only if all invariants hold.")
    ] = False,
) -> None:
    """A local distribution network's March 2026: meters, invoices, messages to OTE, and a report of what must hold."""
    command = importlib.import_module("deploy.demo.command")
    raise typer.Exit(command.main(once=once))


@app.command("quote")
def quote(
    file: Annotated[Path, typer.Argument(help="The input: one JSON object, see docs/quote.md.")],
    package: Annotated[
        list[Path] | None, typer.Option(help="A package file to price by before those that ship; may be repeated.")
    ] = None,
) -> None:
    """The price of given quantities by the rules and packages of a settlement run, without a database."""
    room = importlib.import_module("central.workflow.quote")
    errors = importlib.import_module("central.platform.errors")
    try:
        found = room.quote_file(file, package or [])
    except errors.BadInput as error:
        _refuse(str(error))
    print(json.dumps(found, ensure_ascii=False, indent=2))


@app.command("bench")
def bench(
    only: Annotated[str | None, typer.Option(help="The name of one benchmark; all without it.")] = None,
) -> None:
    """Measure, and write build/bench/NAME.json."""
    folder = _TOP / "tests" / "bench"
    # A file that can be run is a benchmark; the others are parts of them.
    known = {path.stem: path for path in sorted(folder.glob("*.py")) if 'if __name__ == "__main__"' in path.read_text()}
    if only is not None and only not in known:
        raise StackError(f"There is no benchmark '{only}'; there are: {', '.join(known) or 'none'}.")
    failed = []
    for name, path in known.items():
        if only in (None, name):
            # Each in a process of its own: memory and imports of one must not show in the figures of the next.
            done = subprocess.run([sys.executable, str(path)], cwd=_TOP, check=False)
            failed += [name] if done.returncode != 0 else []
    if failed:
        print(f"failed: {', '.join(failed)}", file=sys.stderr)
        raise typer.Exit(1)


@app.command("version")
def version() -> None:
    """Print the version."""
    print(_version())


def main() -> None:
    """The console script; what cannot be done is said in a sentence, with status 2."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # names are Czech, and not every terminal knows their letters
    try:
        app(prog_name="rozvodna")
    except StackError as error:
        _refuse(str(error))
    except OSError as error:
        where = f" ({error.filename})" if error.filename else ""
        _refuse(f"The system refused: {error.strerror or error}{where}. Correct the path, its rights or the address.")
    except Exception as error:
        said = _said_by_database(error)
        if said is None:
            raise
        _refuse(said)


def _refuse(sentence: str) -> NoReturn:
    print(sentence, file=sys.stderr)
    sys.exit(2)


def _run_module(name: str, arguments: list[str]) -> None:
    """The same as `python -m NAME ARGUMENTS`, in this process."""
    sys.argv = [f"rozvodna {name}", *arguments]
    runpy.run_module(name, run_name="__main__", alter_sys=False)


def _said_by_database(error: Exception) -> str | None:
    """What a database that refused says; None where the error is another one."""
    # Looked up, not imported: an agent's machine has no database driver.
    errors = sys.modules.get("sqlalchemy.exc")
    if errors is None or not isinstance(error, errors.SQLAlchemyError):
        return None
    said = str(getattr(error, "orig", None) or error).strip()
    return f"The database refused: {said}\nCorrect DATABASE_URL, or see what the server says."


def _version() -> str:
    source = _TOP / "pyproject.toml"
    if source.exists():
        return str(tomllib.loads(source.read_text())["project"]["version"])
    return importlib.metadata.version("rozvodna")


def _print_state(state: StackState) -> None:
    print(f"database  {_without_password(state.database_url)}")
    print(f"broker    {_without_password(state.mqtt_url)}")
    print('with passwords: eval "$(rozvodna stack env)"')


def _without_password(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.username}@{parts.hostname}:{parts.port}{parts.path}"


if __name__ == "__main__":
    main()
