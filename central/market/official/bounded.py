"""An import of schemas in a process of its own, whose time and memory are bounded.

What compiles a schema takes as long and as much as the schema makes it: alternatives within alternatives, patterns,
millions of occurrences. Reading the archive is bounded by itself; what its schemas do is not, so it happens elsewhere.
What was made there is put in its place here, by one renaming: who is killed before that has installed nothing, and
nobody says that nothing is installed after it.
"""

import multiprocessing
import resource
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Final

from central.market.errors import FormatError
from central.market.format_package import find_in, folders, load_package
from central.market.official.archive import LARGEST_ARCHIVE, read_bounded
from central.market.official.install import Imported, install, make_package, making_folder, require_new

MOST_ARCHIVES: Final = 10


@dataclass(frozen=True, slots=True)
class Bounds:
    """Seconds of waiting and of work, octets of memory. Both operator's archives together need a tenth of them."""

    seconds: float = 300
    cpu_seconds: int = 240
    memory: int = 3_000_000_000


USUAL: Final = Bounds()


def import_bounded(
    base: str,
    archives: Sequence[Path],
    name: str,
    valid_from: date,
    folder: Path,
    mappings: Mapping[str, bytes],
    bounds: Bounds = USUAL,
) -> Imported:
    """As `import_schemas`, of files and on the package named `base`; FormatError also where the bounds are reached."""
    require_new(name)
    if len(archives) > MOST_ARCHIVES:
        raise FormatError("bad_archive", f"{len(archives)} archives are given; at most {MOST_ARCHIVES} are taken in.")
    contents = [read_bounded(path, LARGEST_ARCHIVE) for path in archives]
    with making_folder(folder, name) as making:
        made = _make_bounded(bounds, (base, contents, name, valid_from, making, dict(mappings)))
        return install(made, making, folder)


def _make_bounded(bounds: Bounds, arguments: tuple[Any, ...]) -> Imported:
    """The package in its folder, made by the other process; it installs nothing, whatever becomes of it."""
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe(duplex=False)
    worker = context.Process(target=_work, args=(there, bounds, folders(), arguments), daemon=True)
    worker.start()
    there.close()
    try:
        if not here.poll(bounds.seconds):
            raise FormatError(
                "too_long", f"The schemas were not taken in within {bounds.seconds:g} seconds: nothing is installed."
            )
        kind, result = here.recv()
    except EOFError:
        raise FormatError(
            "too_dear",
            f"The schemas asked for more than {bounds.cpu_seconds} seconds of work or {bounds.memory} octets of "
            "memory, or are nested too deeply: nothing is installed.",
        ) from None
    finally:
        worker.kill()
        worker.join()
        here.close()
    if kind == "refused":
        raise FormatError(*result)
    made: Imported = result
    return made


def _work(there: Connection, bounds: Bounds, known: Sequence[Path], arguments: tuple[Any, ...]) -> None:
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CPU, (bounds.cpu_seconds, bounds.cpu_seconds))
    resource.setrlimit(resource.RLIMIT_AS, (bounds.memory, bounds.memory))
    find_in(known)
    base, *rest = arguments
    try:
        there.send(("done", make_package(load_package(base), *rest)))
    except FormatError as error:
        there.send(("refused", (error.code, error.message)))
    except (MemoryError, RecursionError):
        # It ends without a word, as it does where the system ends it.
        return
