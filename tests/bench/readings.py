"""What the readings' room costs: a month from blocks to validated profiles, sums and balances, the completeness map.

`make bench ONLY=readings`. Its parts are readings_*.py, each with `measure(stack)` and, for developing, a `main` of its
own (`python -m tests.bench.readings --part vee --meters 1000`), which writes no result file. Method: README.md.
"""

import argparse
import os
import sys
from importlib import import_module
from pathlib import Path
from typing import Final

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # where `tests` lies, when this file itself is run

from deploy.stack import process
from deploy.stack.local import LocalStack, home_folder
from tests.bench import harness
from tests.bench.harness import Figure

PARTS: Final = tuple(
    sorted(path.stem.removeprefix("readings_") for path in Path(__file__).parent.glob("readings_*.py"))
)


def measure(stack: LocalStack) -> dict[str, Figure]:
    """All figures of the issue, part after part."""
    figures: dict[str, Figure] = {}
    for part in PARTS:
        figures |= import_module(f"tests.bench.readings_{part}").measure(stack)
    return figures


def main() -> int:
    """Measure and write the result, or only run a part."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--part", choices=PARTS, help="run only this and write nothing")
    parser.add_argument("--meters", type=int, help="of the part")
    options = parser.parse_args()
    stack = LocalStack(home_folder(), instance=f"bench-{os.getpid()}", owner=process.this_process())
    try:
        stack.up()
        if options.part:
            part = import_module(f"tests.bench.readings_{options.part}")
            figures = part.measure(stack) if options.meters is None else part.measure(stack, options.meters)
            print({name: (figure.value, figure.unit) for name, figure in figures.items()})
        else:
            print(harness.write("readings", measure(stack)).read_text())
    finally:
        stack.destroy()
    return 0


if __name__ == "__main__":
    sys.exit(main())
