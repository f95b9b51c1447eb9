"""What no tracked file may hold: addresses of package registries, paths of a developer's machine."""

from __future__ import annotations

import subprocess
from pathlib import Path

# Written with brackets so that this file does not find itself.
FORBIDDEN = (
    r"py[p]i\.org",
    r"pyth[o]nhosted",
    r"regis[t]ry\.npm",
    r"deb\.deb[i]an\.",
    r"(^|[^A-Za-z0-9_.-])/(wor[k]|far[m])/",
    r"(^|[^A-Za-z0-9_.-])/(hom[e]|Use[r]s)/[a-z]",
    r"/ro[o]t/",
)


def test_no_registry_and_no_machine_in_tracked_files(root: Path) -> None:
    patterns = [option for pattern in FORBIDDEN for option in ("-e", pattern)]
    command = ["git", "-c", f"safe.directory={root}", "grep", "-nIiE", *patterns, "--", "."]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    assert done.returncode in (0, 1), done.stderr  # 1: nothing found
    assert done.stdout.splitlines() == []


def test_top_level_is_as_designed(root: Path) -> None:
    command = ["git", "-c", f"safe.directory={root}", "ls-files"]
    files = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True).stdout.splitlines()
    folders = {name.split("/", 1)[0] for name in files if "/" in name}
    assert folders == {"edge", "central", "shared", "firmware_sims", "deploy", "tests", "docs", ".ci"}
