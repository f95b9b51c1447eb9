"""A key that never leaves its token signs and decrypts: SoftHSM by its PKCS#11 library."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

from deploy.peers_softhsm import SoftHsm

HERE = Path(__file__).parent
CLIENT = HERE / "clients/softhsm_keys.py"


def test_keys_in_a_token(softhsm: SoftHsm, tmp_path: Path) -> None:
    """Every test of the client, in a process that loads the library."""
    environment = {
        **softhsm.environment(tmp_path / "softhsm2.conf"),
        "TEST_SOFTHSM": str(softhsm.module),
        "TEST_SOFTHSM_TOOL": str(softhsm.util),
    }
    command = [*softhsm.python(), "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", str(CLIENT)]
    done = subprocess.run(
        command, env=environment, cwd=HERE.parents[1], capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0, done.stdout + done.stderr
    wanted = len(re.findall(r"^def test_", CLIENT.read_text(), re.MULTILINE))
    passed = re.search(r"(\d+) passed", done.stdout)
    assert passed is not None and int(passed[1]) >= wanted >= 5, done.stdout
    assert "skipped" not in done.stdout
