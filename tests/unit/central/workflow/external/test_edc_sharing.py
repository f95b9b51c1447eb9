"""Exports of EDC's portal as they come from a folder."""

import pytest

from central.platform.errors import BadInput
from central.workflow.external.adapter import UnreadableError
from central.workflow.external.edc_sharing import ADAPTER, Settings, read
from shared.identifiers import make_ean18

ROOF, FLAT = (make_ean18(f"859182400900{number:05d}") for number in (1, 2))
HEADER = f"Datum;Cas od;Cas do;{ROOF}-{FLAT}\n"


def test_an_export_is_read_with_its_days() -> None:
    (export,) = read((HEADER + "05.02.2025;11:00;11:15;0,03\n").encode(), Settings("SK-1"))
    assert ((export.end - export.first).days, export.first.isoformat()) == (1, "2025-02-05")


@pytest.mark.parametrize("text", ["", "<!DOCTYPE html><html>", HEADER, HEADER.replace(FLAT, FLAT[:-1]) + "1;2;3;4\n"])
def test_what_is_no_export_is_unreadable(text: str) -> None:
    with pytest.raises(UnreadableError):
        read(text.encode(), Settings("SK-1"))


@pytest.mark.parametrize("settings", [{}, {"group": ""}, {"group": "a b"}, {"group": 1}])
def test_settings_of_another_shape_are_refused(settings: dict[str, object]) -> None:
    with pytest.raises(BadInput):
        ADAPTER.settings_of(settings)
