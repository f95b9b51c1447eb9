"""A PostgreSQL cluster with TimescaleDB in a private folder: made once, started on a loopback port, stopped by pid."""

from __future__ import annotations

import os
import re
import secrets
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import LiteralString

import psycopg
from psycopg import sql

from deploy.stack import process
from deploy.stack.account import Account
from deploy.stack.errors import StackError
from deploy.stack.ports import LOOPBACK
from deploy.stack.programs import POSTGRES_MAJOR, Programs

__all__ = ["OWNER", "Cluster", "check", "create_database", "drop_database", "with_database"]

ADMIN = "postgres"
OWNER = "rozvodna"  # owns the databases, may create more; not a superuser
EXTENSIONS: tuple[LiteralString, ...] = ("timescaledb", "btree_gist")

_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")
_READY_SECONDS = 60.0
_MIB = 1 << 20

_CONFIGURATION = """\
# Written anew at each start; own settings belong into postgresql.conf, below the line that includes this file.
shared_preload_libraries = 'timescaledb'
timescaledb.telemetry_level = off
# The Apache edition has no policies to run, and a worker in each database would keep it from serving as a template.
timescaledb.max_background_workers = 0
listen_addresses = '{host}'
port = {port}
unix_socket_directories = ''
max_connections = 100
password_encryption = 'scram-sha-256'

# Nothing that was committed may be lost: an edge forgets what was acknowledged.
fsync = on
synchronous_commit = on
full_page_writes = on

# Two cores that take in blocks by binary COPY: few, large checkpoints.
shared_buffers = {shared_buffers_mib}MB
max_wal_size = 4GB
min_wal_size = 1GB
wal_buffers = 64MB
checkpoint_timeout = 15min
checkpoint_completion_target = 0.9
maintenance_work_mem = 256MB
work_mem = 32MB
jit = off
timezone = '{timezone}'
log_timezone = '{timezone}'
lc_messages = 'C'
log_checkpoints = off
"""


class Cluster:
    """One cluster whose files lie in `folder`."""

    def __init__(self, folder: Path, account: Account) -> None:
        self.folder = folder
        self._data = folder / f"data-{POSTGRES_MAJOR}"
        self._account = account

    def start(self, programs: Programs, port: int) -> process.ProcessRecord:
        """Make the cluster if it is new, start it on loopback, wait until it takes connections. Raises StackError."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        process.end_left_running(self.folder, signal.SIGINT)
        if not (self.folder / "made").exists():
            self._initialise(programs)
        self._write_configuration(port)
        self._remove_stale_pid_file()
        command = [*self._account.prefix, str(programs.postgres), "-D", str(self._data)]
        log = self.folder / "postgres.log"
        record = process.start(command, log, _environment(), self.folder)
        end = time.monotonic() + _READY_SECONDS
        while not self._answers(port):
            time.sleep(0.03)
            running, in_time = process.is_running(record), time.monotonic() < end
            if running and in_time:
                continue
            # After a kill its own children hold the shared memory for a moment longer.
            if in_time and "shared memory block" in log.read_text():
                record = process.start(command, log, _environment(), self.folder)
                continue
            process.stop(record, signal.SIGQUIT)
            raise StackError(f"PostgreSQL did not start on port {port}; it said:\n{log.read_text()[-1500:]}")
        return record

    def require_owner(self, port: int) -> str:
        """The URL of the owner's first database; role and database are made where missing."""
        password = self._secret("owner")
        with psycopg.connect(self.admin_url(port), autocommit=True) as admin:
            known = admin.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [OWNER]).fetchone()
            if known is None:
                admin.execute(
                    sql.SQL("CREATE ROLE {} LOGIN CREATEDB PASSWORD {}").format(
                        sql.Identifier(OWNER), sql.Literal(password)
                    )
                )
                # The benchmark ends with a CHECKPOINT; the overviews look at the server's statistics.
                admin.execute(sql.SQL("GRANT pg_checkpoint, pg_monitor TO {}").format(sql.Identifier(OWNER)))
            made = admin.execute("SELECT 1 FROM pg_database WHERE datname = %s", [OWNER]).fetchone()
        url = f"postgresql://{OWNER}:{password}@{LOOPBACK}:{port}/{OWNER}"
        if made is None:
            create_database(self.admin_url(port), OWNER, owner=OWNER)
        return url

    def admin_url(self, port: int) -> str:
        """The superuser's URL: for making databases and extensions, not for the product."""
        return f"postgresql://{ADMIN}:{self._secret('admin')}@{LOOPBACK}:{port}/postgres"

    def _initialise(self, programs: Programs) -> None:
        # A run that was interrupted leaves a folder without `made`: nothing of use is in it. Its initdb may still
        # write, so each makes a folder of its own.
        for left in (*self.folder.glob(f"{self._data.name}.new-*"), self._data):
            shutil.rmtree(left, ignore_errors=True)
        new = self._data.with_name(f"{self._data.name}.new-{os.getpid()}")
        new.mkdir(mode=0o700)
        password_file = self.folder / "admin.password"
        self._secret("admin")
        self._account.give(self.folder)
        options = [f"--pgdata={new}", f"--username={ADMIN}", f"--pwfile={password_file}", "--auth=scram-sha-256"]
        # The built-in provider sorts alike on every machine and needs no locale of the system.
        options += ["--encoding=UTF8", "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        options += ["--data-checksums", "--no-instructions"]
        done = subprocess.run(
            [*self._account.prefix, str(programs.initdb), *options],
            capture_output=True,
            text=True,
            env=_environment(),
            cwd=self.folder,
            check=False,
        )
        if done.returncode != 0:
            raise StackError(f"initdb could not make a cluster in {self._data}:\n{done.stderr.strip()[-1500:]}")
        with (new / "postgresql.conf").open("a") as settings:
            settings.write("\ninclude 'rozvodna.conf'\n")
        new.rename(self._data)
        (self.folder / "made").touch()

    def _write_configuration(self, port: int) -> None:
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // _MIB
        # Without the zone files of the system only GMT is known.
        timezone = "UTC" if Path("/usr/share/zoneinfo/UTC").exists() else "GMT"
        text = _CONFIGURATION.format(
            host=LOOPBACK, port=port, shared_buffers_mib=min(1024, memory // 4), timezone=timezone
        )
        path = self._data / "rozvodna.conf"
        path.write_text(text)
        self._account.give(path)

    def _remove_stale_pid_file(self) -> None:
        """After a crash of the machine the pid may be anybody's, and PostgreSQL would wait for it."""
        path = self._data / "postmaster.pid"
        if not path.exists():
            return
        command = Path(f"/proc/{path.read_text().split()[0]}/cmdline")
        if not command.exists() or str(self._data).encode() not in command.read_bytes():
            path.unlink()

    def _answers(self, port: int) -> bool:
        try:
            psycopg.connect(self.admin_url(port), connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True

    def _secret(self, name: str) -> str:
        path = self.folder / f"{name}.password"
        if not path.exists():
            path.touch(mode=0o600)
            path.write_text(secrets.token_urlsafe(24))
        return path.read_text()


def create_database(admin_url: str, name: str, owner: str | None = None, template: str | None = None) -> None:
    """Make a database with the extensions, or as a copy of `template` (which nobody may be connected to).

    Raises StackError for a name that is not plain lower case or is taken.
    """
    if not _NAME.fullmatch(name):
        raise StackError(
            f"'{name}' cannot be a database's name: a letter, then letters, digits or _, all lower case, 63 at most."
        )
    words: list[sql.Composable] = [sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name))]
    if owner is not None:
        words.append(sql.SQL("OWNER {}").format(sql.Identifier(owner)))
    if template is not None:
        words.append(sql.SQL("TEMPLATE {}").format(sql.Identifier(template)))
    with _errors_as_sentences(f"The database {name} could not be made"):
        with psycopg.connect(admin_url, autocommit=True) as admin:
            if template is not None and admin.info.server_version >= 150000:
                # The files are copied at once, instead of every block through the log: half the time.
                words.append(sql.SQL("STRATEGY FILE_COPY"))
            admin.execute(sql.SQL(" ").join(words))
        if template is None:
            with psycopg.connect(with_database(admin_url, name), autocommit=True) as admin:
                for extension in EXTENSIONS:
                    admin.execute(sql.SQL("CREATE EXTENSION IF NOT EXISTS {}").format(sql.Identifier(extension)))


def check(url: str) -> None:
    """Whether the server that DATABASE_URL names lets us in and has TimescaleDB. Raises StackError."""
    with (
        _errors_as_sentences("DATABASE_URL names a database that cannot be reached"),
        psycopg.connect(url, connect_timeout=10) as connection,
    ):
        found = connection.execute("SELECT 1 FROM pg_available_extensions WHERE name = 'timescaledb'").fetchone()
    if found is None:
        raise StackError("DATABASE_URL names a server without TimescaleDB. Install its extension there, or unset it.")


def drop_database(admin_url: str, name: str) -> None:
    """Remove a database with all in it, also while others are connected."""
    with (
        _errors_as_sentences(f"The database {name} could not be removed"),
        psycopg.connect(admin_url, autocommit=True) as admin,
    ):
        admin.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))


def with_database(url: str, name: str) -> str:
    """The same server and account, another database."""
    head, mark, options = url.partition("?")
    return f"{head.rsplit('/', 1)[0]}/{name}{mark}{options}"


@contextmanager
def _errors_as_sentences(beginning: str) -> Iterator[None]:
    try:
        yield
    except psycopg.Error as error:
        raise StackError(f"{beginning}: {str(error).strip()}") from error


def _environment() -> dict[str, str]:
    # Settings of the caller's own PostgreSQL would reach into ours.
    return {**{name: value for name, value in os.environ.items() if not name.startswith("PG")}, "LC_ALL": "C"}
