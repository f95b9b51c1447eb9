"""What every benchmark needs: the median of three, and the result file in the format that the issues name."""

import os
import statistics
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

ROOT: Final = Path(__file__).resolve().parent.parent.parent
RUNS: Final = 3


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured number."""

    value: float
    unit: str


def commit() -> str:
    """The commit that is measured, or "unknown" outside a repository."""
    answer = subprocess.run(["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False)
    return answer.stdout.strip() or "unknown"


def cores() -> int:
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0))


def medians(run: Callable[[int], Mapping[str, float]], runs: int = RUNS) -> dict[str, float]:
    """Measure `runs` times (the argument counts from 0) and take the median of each number."""
    measured: Sequence[Mapping[str, float]] = [run(number) for number in range(runs)]
    return {key: statistics.median(numbers[key] for numbers in measured) for key in measured[0]}


def write(name: str, figures: Mapping[str, Figure]) -> Path:
    """Write build/bench/NAME.json and return its path."""
    path = ROOT / "build" / "bench" / f"{name}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    result = {
        "name": name,
        "commit": commit(),
        "cores": cores(),
        "figures": {key: {"value": figure.value, "unit": figure.unit} for key, figure in figures.items()},
    }
    path.write_bytes(msgspec.json.format(msgspec.json.encode(result), indent=2) + b"\n")
    return path
