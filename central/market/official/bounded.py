"""An import of schemas in a process of its own, whose time and memory are bounded.

What compiles a schema takes as long and as much as the schema makes it: alternatives within alternatives, patterns,
millions of occurrences. Reading the archive is bounded by itself; what its schemas do is not, so it happens elsewhere.
"""

import multiprocessing
import resource
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Final

from central.market.errors import FormatError
from central.market.format_package import find_in, folders, load_package
from central.market.official.archive import LARGEST_ARCHIVE, read_bounded
from central.market.official.install import Imported, import_schemas, making_folder, require_name

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
    require_name(name)
    if len(archives) > MOST_ARCHIVES:
        raise FormatError("bad_archive", f"{len(archives)} archives are given; at most {MOST_ARCHIVES} are taken in.")
    contents = [read_bounded(path, LARGEST_ARCHIVE) for path in archives]
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe(duplex=False)
    arguments = (base, contents, name, valid_from, folder, dict(mappings))
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
        shutil.rmtree(making_folder(folder, name), ignore_errors=True)
    if kind == "refused":
        raise FormatError(*result)
    imported: Imported = result
    return imported


def _work(there: Connection, bounds: Bounds, known: Sequence[Path], arguments: tuple[Any, ...]) -> None:
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CPU, (bounds.cpu_seconds, bounds.cpu_seconds))
    resource.setrlimit(resource.RLIMIT_AS, (bounds.memory, bounds.memory))
    find_in(known)
    base, *rest = arguments
    try:
        there.send(("done", import_schemas(load_package(base), *rest)))
    except FormatError as error:
        there.send(("refused", (error.code, error.message)))
    except (MemoryError, RecursionError):
        # It ends without a word, as it does where the system ends it.
        return
