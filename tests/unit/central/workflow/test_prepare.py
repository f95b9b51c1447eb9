"""Releases of shipped packages, compared."""

from datetime import date

import pytest

from central.tariffs.load import load_file, shipped_files
from central.workflow.prepare import Present, is_wanted, release_of


@pytest.mark.parametrize(
    ("installed", "shipped", "older"),
    [("2026.1", "2026.2", True), ("2026.9", "2026.10", True), ("2026.2", "2026.2", False), ("own", "2026.2", False)],
)
def test_an_earlier_release_gives_way(installed: str, shipped: str, older: bool) -> None:
    assert (release_of(installed) < release_of(shipped)) is older


@pytest.mark.parametrize(
    ("name", "version", "scope", "first", "active", "wanted"),
    [
        ("cz-electricity-2026", "2026.1", "cz-electricity", 2026, True, True),
        ("cz-electricity-2026", "2026.999", "cz-electricity", 2026, True, False),
        ("cz-electricity-2026", "own", "cz-electricity", 2026, True, False),
        ("our-law", "1", "cz-electricity", 2026, True, False),
        ("our-law", "1", "cz-electricity", 2026, False, True),
        ("our-law", "1", "cz-electricity", 2025, True, True),
        ("our-law", "1", "cz-gas", 2026, True, True),
    ],
)
def test_a_shipped_package_is_installed_where_nothing_else_holds(
    name: str, version: str, scope: str, first: int, active: bool, wanted: bool
) -> None:
    shipped = load_file(next(path for path in shipped_files() if path.stem == "cz-electricity-2026"))
    valid = (date(first, 1, 1), date(first + 1, 1, 1))
    assert is_wanted(shipped, [Present(name, version, scope, valid, active)]) is wanted
