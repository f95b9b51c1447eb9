"""The list of daily exchange rates, made up after its documented form."""

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from central.workflow.external.adapter import Days, UnreadableError
from central.workflow.external.cnb_rates import Settings, parts, read

HEAD = "03.01.2025 #2\nzemě|měna|množství|kód|kurz\n"
LIST = HEAD + "EMU|euro|1|EUR|25,150\nMaďarsko|forint|100|HUF|6,123\nUSA|dolar|1|USD|24,412\n"


@pytest.mark.parametrize(
    "octets",
    [
        LIST.encode(),
        LIST.encode("utf-8-sig"),
        LIST.encode("windows-1250"),
        LIST.replace("\n", "\r\n").encode(),
        (LIST + "EMU|euro|1|EUR|25,150\n\n").encode(),
        LIST.replace(",", ".").encode(),
    ],
)
def test_a_list_is_read_in_any_dress(octets: bytes) -> None:
    euro, forint, _ = read(octets, Settings())
    assert (euro.series, euro.key) == ("cnb.rate", "EUR/2025-01-03")
    assert euro.begins == datetime(2025, 1, 2, 23, 0, tzinfo=UTC)
    assert (euro.content["rate"], euro.content["amount"], euro.content["list"]) == (Decimal("25.150"), 1, 2)
    assert (forint.content["country"], forint.content["amount"]) == ("Maďarsko", 100)


def test_only_some_currencies() -> None:
    assert [each.content["currency"] for each in read(LIST.encode(), Settings(currencies=("EUR", "XXX")))] == ["EUR"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("<!DOCTYPE html><html>Údržba</html>", "a page"),
        ("\n\n<html>", "a page"),
        ("", "a day and a number"),
        (HEAD, "no rates"),
        ("31.02.2025 #2\n", "a day and a number"),
        ("03.01.2025 #2\nzemě|měna|kód|kurz\nEMU|euro|EUR|25,150\n", "expected are"),
        (LIST + "EMU|euro|1|EUR|25,151\n", "says two things"),
        (LIST[:-14], "has not 5 fields"),
        (LIST.replace("25,150", "-"), "no code or no rate"),
        (LIST.replace("25,150", "0"), "no code or no rate"),
        (LIST.replace("25,150", "-25,150"), "no code or no rate"),
        (LIST.replace("|100|", "|0|"), "no whole number"),
        (LIST.replace("EUR", "eur"), "no code or no rate"),
        (LIST + "\0", "octets 0"),
    ],
)
def test_what_is_no_list_is_unreadable(text: str, said: str) -> None:
    with pytest.raises(UnreadableError, match=said):
        read(text.encode(), Settings())


def test_the_list_of_each_working_day_is_asked_for() -> None:
    asked = parts(Settings(), Days(date(2025, 1, 3), date(2025, 1, 6)), date(2026, 1, 1))
    assert [part.append for part in asked] == ["?date=03.01.2025", "?date=06.01.2025"]
    weekend = parts(Settings(), Days(date(2025, 1, 4), date(2025, 1, 5)), date(2026, 1, 1))
    assert [part.append for part in weekend] == ["?date=05.01.2025"]
    assert len(parts(Settings(), Days(), date(2026, 3, 2))) == 2
