"""One demo at a time; endings are heard inside and not while it tidies up."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from deploy.demo.alone import ENDINGS, interruptible, only_demo
from deploy.stack.errors import StackError

HOLDER = """
import sys
from pathlib import Path
from deploy.demo.alone import only_demo
with only_demo(Path(sys.argv[1])):
    print("holds", flush=True)
    sys.stdin.read()
"""


def test_a_second_demo_is_refused_until_the_first_ends(tmp_path: Path, root: Path) -> None:
    command = [sys.executable, "-c", HOLDER, str(tmp_path)]
    with subprocess.Popen(command, cwd=root, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None and holder.stdout.readline() == b"holds\n"
        with (
            pytest.raises(StackError, match=rf"^A demo runs already in .* \(process {holder.pid}\)"),
            only_demo(tmp_path),
        ):
            pass
        holder.kill()
        holder.wait()
    with only_demo(tmp_path) as descriptor:
        assert os.fstat(descriptor).st_size > 0


def test_every_ending_interrupts_once() -> None:
    before = {ending: signal.getsignal(ending) for ending in ENDINGS}
    try:
        for ending in ENDINGS:
            with pytest.raises(KeyboardInterrupt, match=ending.name), interruptible():
                signal.raise_signal(ending)
            signal.raise_signal(ending)  # not heard any more
            assert signal.getsignal(ending) is signal.SIG_IGN
    finally:
        for ending, handler in before.items():
            signal.signal(ending, handler)
