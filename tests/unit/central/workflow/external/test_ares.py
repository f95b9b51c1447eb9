"""Answers of the register of companies, made up after its form."""

import json
from datetime import date
from typing import Any

import pytest

from central.platform.errors import BadInput
from central.workflow.external.adapter import UnreadableError
from central.workflow.external.ares import ADAPTER, Companies, Settings, parts, read

SEAT = {
    "kodStatu": "CZ",
    "nazevObce": "Vlčí Důl",
    "nazevUlice": "Dlouhá",
    "cisloDomovni": 12,
    "cisloOrientacni": 3,
    "cisloOrientacniPismeno": "a",
    "psc": 60200,
    "textovaAdresa": "Dlouhá 12/3a, 60200 Vlčí Důl",
    "kodKraje": 116,
}
COMPANY = {"ico": "12345679", "obchodniJmeno": "Areál Energie, s.r.o.", "dic": "CZ12345679", "sidlo": SEAT}


def answered(**changes: Any) -> bytes:
    return json.dumps({**COMPANY, **changes}).encode()


def test_a_company_under_our_names() -> None:
    (company,) = read(answered(datumVzniku="2001-02-03", czNace=["35140"]), Settings())
    assert company == {
        "found": True,
        "ico": "12345679",
        "name": "Areál Energie, s.r.o.",
        "dic": "CZ12345679",
        "street": "Dlouhá 12/3a",
        "city": "Vlčí Důl",
        "postal_code": "602 00",
        "country": "CZ",
        "address": "Dlouhá 12/3a, 60200 Vlčí Důl",
        "founded_on": date(2001, 2, 3),
    }


@pytest.mark.parametrize(
    ("seat", "street", "postal_code"),
    [
        (
            {"nazevObce": "Lhota", "nazevCastiObce": "Dolní Lhota", "cisloDomovni": 7, "psc": 1234},
            "Dolní Lhota 7",
            "012 34",
        ),
        ({"nazevObce": "Lhota", "cisloDomovni": 7, "psc": "602 00"}, "Lhota 7", "602 00"),
        ({"nazevUlice": "Dlouhá", "psc": "SW1A"}, "Dlouhá", "SW1A"),
        ({"nazevUlice": "Dlouhá", "cisloDomovni": 12, "cisloOrientacni": 3, "psc": "AB123"}, "Dlouhá 12/3", "AB123"),
        ({}, None, None),
    ],
)
def test_seats_without_streets_and_of_other_countries(
    seat: dict[str, Any], street: str | None, postal_code: str | None
) -> None:
    (company,) = read(answered(sidlo=seat), Settings())
    assert (company.get("street"), company.get("postal_code")) == (street, postal_code)


def test_an_unknown_number_is_an_answer() -> None:
    body = b'{"kod": "NENALEZENO", "popis": "Subjekt nebyl nalezen"}'
    assert read(body, Settings()) == [{"found": False}]
    (part,) = parts(Settings(), Companies(("12345679", "12345679")), date(2026, 3, 2))
    assert (part.append, 404 in part.accepts) == ("/12345679", True)


@pytest.mark.parametrize(
    "octets",
    [
        b"<!DOCTYPE html><html>Odstavka</html>",
        b"",
        b"[]",
        b"null",
        answered()[:-5],
        answered(ico=None),
        answered(ico="12345678"),
        answered(obchodniJmeno=""),
        answered(obchodniJmeno="a\0b"),
        answered(obchodniJmeno=7),
        answered(obchodniJmeno="x" * 501),
        answered(sidlo={"cisloDomovni": "x"}),
        answered(datumZaniku="31.12.2020"),
        b'{"kod": "OBECNA_CHYBA"}',
        "{}".encode("utf-16"),
        answered().decode().replace("Are", "\udcffAre").encode("utf-8", "surrogateescape"),
        b'{"a":' * 100_000,
        b"[" * 400_000,
        answered(popis="x" * 500_001),
    ],
)
def test_what_is_no_company_is_unreadable(octets: bytes) -> None:
    with pytest.raises(UnreadableError):
        read(octets, Settings())


@pytest.mark.parametrize("ico", [["1234567"], ["12345678"], ["../../x"], ["12345679"] * 51, "12345679", [None]])
def test_bad_numbers_are_refused(ico: object) -> None:
    with pytest.raises(BadInput):
        ADAPTER.parameters_of({"ico": ico})
