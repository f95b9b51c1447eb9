"""`python -m tests.fuzz TARGET [SECONDS]`: fuzz one target under atheris (coverage-guided); 0 if nothing was broken.

What breaks a promise is written to build/fuzz/TARGET/crash-*, and what was learnt to build/fuzz/TARGET/corpus.
Called by `make fuzz`. Without a target: all of them, SECONDS each.
"""

import subprocess
import sys
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["edge", "shared"]):
    from tests.fuzz.targets import SEEDS, TARGETS

LONGEST = 2_000
"""Octets of an input: longer ones find nothing that shorter ones do not, and are slow."""
BUILD = Path(__file__).resolve().parents[2] / "build" / "fuzz"


def fuzz(name: str, limit: list[str]) -> None:
    """Run libFuzzer on one target; it ends the process itself."""
    folder = BUILD / name
    corpus = folder / "corpus"
    corpus.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(SEEDS[name]):
        (corpus / f"seed-{number}").write_bytes(seed)
    arguments = [sys.argv[0], f"-artifact_prefix={folder}/", f"-max_len={LONGEST}", "-timeout=10", *limit, str(corpus)]
    atheris.Setup(arguments, TARGETS[name])
    atheris.Fuzz()


def main(arguments: list[str]) -> int:
    """`[TARGET|all] [SECONDS] [-runs=N ...]`."""
    options = [argument for argument in arguments if argument.startswith("-")]
    name, seconds, *_ = [*(argument for argument in arguments if not argument.startswith("-")), "all", "60"][:2]
    if name in TARGETS:
        fuzz(name, options or [f"-max_total_time={int(seconds)}"])
    if name != "all":
        sys.stderr.write(f"There is no target {name!r}; there are {', '.join(TARGETS)}, or all.\n")
        return 2
    failed = [
        each
        for each in TARGETS
        if subprocess.run([sys.executable, "-m", "tests.fuzz", each, seconds, *options], check=False).returncode
    ]
    if failed:
        sys.stderr.write(f"Broken: {', '.join(failed)}; inputs are in {BUILD}/TARGET/crash-*.\n")
    return bool(failed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
