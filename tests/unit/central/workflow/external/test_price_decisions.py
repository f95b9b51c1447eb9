"""A price decision's workbook as it comes from outside."""

import pytest

from central.platform.errors import BadInput
from central.workflow.external.adapter import UnreadableError
from central.workflow.external.price_decisions import ADAPTER, Settings, read
from tests.unit.central.tariffs.price_decision import written


def test_one_value_a_year_in_the_builder_s_raw_shape() -> None:
    (value,) = read(written(), Settings(2026))
    assert (value.series, value.key) == ("eru.workbook", "2026")
    assert set(value.content["low"]["D02d"]["JT"]) == {"CEZ", "EGD", "PRE"}
    assert value.content["high"]["dso_fields"] == ["rk_rocni", "rk_mesicni", "pouziti_siti", "jednoslozkova"]


@pytest.mark.parametrize(
    "octets", [b"", b"<!DOCTYPE html><html>Odst\xc3\xa1vka</html>", b"PK\x03\x04", written()[:3000]]
)
def test_what_is_no_workbook_is_unreadable(octets: bytes) -> None:
    with pytest.raises(UnreadableError):
        read(octets, Settings(2026))


@pytest.mark.parametrize(
    "settings", [{}, {"year": 1}, {"year": 2026, "mapping": {"operators": {}}}, {"year": 2026, "x": 1}]
)
def test_settings_of_another_shape_are_refused(settings: object) -> None:
    with pytest.raises(BadInput):
        ADAPTER.settings_of(settings)  # type: ignore[arg-type]  # as a request may bring it
