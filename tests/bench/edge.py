"""How close the concentrator comes to its limits: the serial line, the processor, an outage of the broker.

`make bench ONLY=edge`, or `python -m tests.bench.edge --part rtu --runs 1` for a part while developing (which writes no
result file). Method and what bounds the figures: README.md.
"""

import argparse
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # where `tests` lies, when this file itself is run

from tests.bench import edge_line, edge_live, edge_outage, edge_thingsboard, harness
from tests.bench.harness import Figure


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of the benchmark that can be run alone: `run(number)` measures once and gives a value for each key."""

    run: Callable[[int], Mapping[str, float]]
    units: Mapping[str, str]
    """Keys of the result file, and their units; what else `run` gives is only printed."""
    digits: int = 4


PARTS: Final[dict[str, Part]] = {
    "rtu": Part(edge_line.rtu, {"rtu_9600_efficiency": "of the limit", "rtu_19200_efficiency": "of the limit"}),
    "live": Part(edge_live.live, {"core_share_20k": "of a core", "core_share_100k": "of a core", "rss_mb": "MB"}),
    "thingsboard": Part(edge_thingsboard.thingsboard, {}),
    "outage": Part(edge_outage.outage, {"outage_live_delay_s": "s"}),
    "round": Part(edge_line.round_of_30, {"round_30x40_s": "s"}),
    "profile": Part(
        edge_line.profile,
        {f"profile_{information}_efficiency": "of the limit" for information in edge_line.INFORMATION},
    ),
    "dead": Part(edge_line.dead_meter, {"dead_meter_cost": "of the time"}),
}


def measure(part: Part, name: str, runs: int) -> dict[str, Figure]:
    """Medians of `runs` runs, each printed."""

    def run(number: int) -> Mapping[str, float]:
        figures = part.run(number)
        shown = ", ".join(f"{key} {value:.4f}" for key, value in figures.items())
        if figures:
            print(f"{name:>8} run {number + 1}: {shown}", flush=True)
        return figures

    medians = harness.medians(run, runs)
    return {key: Figure(round(medians[key], part.digits), unit) for key, unit in part.units.items()}


def main() -> int:
    """Measure and write the result, or only run a part."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--part", choices=tuple(PARTS), help="run only this and write nothing")
    parser.add_argument("--runs", type=int, default=harness.RUNS, help="runs of each part")
    options = parser.parse_args()
    figures: dict[str, Figure] = {}
    for name, part in PARTS.items():
        if options.part in (None, name):
            figures |= measure(part, name, options.runs)
    if options.part is None:
        print(harness.write("edge", figures).read_text())
    return 0


if __name__ == "__main__":
    sys.exit(main())
