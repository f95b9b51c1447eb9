"""Shared energy on a document: printed with the point, and in ISDOC among its facts; it adds no line."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from lxml import etree

from central.invoicing.compose import About, compose
from central.invoicing.compose_rows import PointInput
from central.invoicing.document import InvoiceDocument
from central.invoicing.isdoc import METERING, problems_of, write_isdoc
from central.invoicing.printed import printed
from tests.unit.central.invoicing.test_documents import FIRM, SUPPLIER, TERMS, bases, high_voltage, low_voltage


def document(given: PointInput, shared: str | None, language: str = "cs") -> InvoiceDocument:
    quantities = given.quantities if shared is None else {**given.quantities, "shared_energy_mwh": shared}
    points = [(replace(given, quantities=quantities), bases(given.supply_point))]
    return compose("1", SUPPLIER, FIRM, points, TERMS, About(language=language))


@pytest.mark.parametrize("given", [high_voltage, low_voltage])
def test_it_is_printed_and_told_in_isdoc_without_a_line(given: Callable[[], PointInput]) -> None:
    with_sharing, without = document(given(), "0.0192"), document(given(), None)
    plain = printed(without)["points"][0]["facts"]
    told = [fact for fact in printed(with_sharing)["points"][0]["facts"] if fact not in plain]
    assert told == [["Sdílená energie", "0,0192 MWh"]]
    isdoc = write_isdoc(with_sharing)
    assert problems_of(isdoc) == []
    facts = {each.get("label"): each.text for each in etree.fromstring(isdoc).iter(f"{{{METERING}}}Fact")}
    assert facts["Sdílená energie"] == "0,0192 MWh"
    assert [(line.name, line.amount) for line in with_sharing.lines] == [
        (line.name, line.amount) for line in without.lines
    ]


def test_in_english() -> None:
    assert ["Shared energy", "1 MWh"] in printed(document(high_voltage(), "1", "en"))["points"][0]["facts"]
