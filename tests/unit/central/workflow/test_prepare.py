"""Releases of shipped packages, compared."""

import pytest

from central.workflow.prepare import release_of


@pytest.mark.parametrize(
    ("installed", "shipped", "older"),
    [("2026.1", "2026.2", True), ("2026.9", "2026.10", True), ("2026.2", "2026.2", False), ("own", "2026.2", False)],
)
def test_an_earlier_release_gives_way(installed: str, shipped: str, older: bool) -> None:
    assert (release_of(installed) < release_of(shipped)) is older
