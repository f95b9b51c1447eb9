"""Every target under hypothesis, from random octets and from damaged valid messages; and atheris starts on each."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fuzz.targets import SEEDS, TARGETS

RUNS = 2_000
ROOT = Path(__file__).resolve().parents[2]


@st.composite
def damaged(draw: st.DrawFn, seeds: list[bytes]) -> bytes:
    """Valid messages one after another, with octets changed, left out and put in."""
    octets = bytearray(b"".join(draw(st.lists(st.sampled_from(seeds), min_size=1, max_size=3))))
    for _ in range(draw(st.integers(0, 4))):
        place = draw(st.integers(0, len(octets)))
        octets[place : place + draw(st.integers(0, 2))] = draw(st.binary(max_size=3))
    return bytes(octets)


@pytest.mark.parametrize("name", TARGETS)
@settings(max_examples=150)
@given(st.data())
def test_any_octets(name: str, data: st.DataObject) -> None:
    octets = data.draw(st.one_of(st.binary(max_size=300), *([damaged(SEEDS[name])] if SEEDS[name] else [])))
    assert TARGETS[name](octets) is None  # a broken promise raises


@pytest.mark.parametrize("name", [name for name in TARGETS if SEEDS[name]])
def test_a_seed_in_pieces(name: str) -> None:
    for seed in SEEDS[name]:
        for end in range(len(seed) + 1):
            assert TARGETS[name](seed[:end]) is None


@pytest.mark.skipif(importlib.util.find_spec("atheris") is None, reason="atheris has no wheel for this machine")
@pytest.mark.parametrize("name", TARGETS)
def test_guided_by_coverage(name: str) -> None:
    command = [sys.executable, "-m", "tests.fuzz", name, f"-runs={RUNS}", "-seed=4711"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    assert f"Done {RUNS} runs" in done.stderr


def test_a_broken_promise_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.fuzz.targets.Exchange.feed", lambda *_: bytes.fromhex("040400000000"))
    with pytest.raises(AssertionError):
        TARGETS["modbus_rtu"](b"nothing of the kind")
