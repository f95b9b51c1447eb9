"""The token of a preview changes with everything that its documents say."""

from __future__ import annotations

from dataclasses import fields, replace
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from central.invoicing.advances.deductions import DeductedAdvance
from central.invoicing.compose import About, Terms, compose
from central.invoicing.document import InvoiceDocument, Original, PartyDetails, PastPeriod, VatRow
from central.invoicing.selection import orders
from central.invoicing.token import token_of
from tests.unit.central.invoicing.test_documents import FIRM, SUPPLIER, TERMS, bases, high_voltage
from tests.unit.central.invoicing.test_selection_groups import basis

D = Decimal
DAY = datetime(2026, 3, 1, tzinfo=UTC)
DEDUCTED = DeductedAdvance(
    1, "2660000001", "2650000001", 1, date(2026, 2, 5), True, D("21.00"), D("121.00"), D("21.00")
)


def composed(
    supplier: PartyDetails = SUPPLIER,
    customer: PartyDetails = FIRM,
    terms: Terms = TERMS,
    given: dict[str, Any] | None = None,
    line: dict[str, Any] | None = None,
    **about: Any,
) -> InvoiceDocument:
    first, *rest = bases()
    points = [(replace(high_voltage(), **(given or {})), [replace(first, **(line or {})), *rest])]
    return compose("", supplier, customer, points, terms, About(**about))


def token(document: InvoiceDocument, **said: Any) -> str:
    return token_of(orders([basis(100, **said)], "contract"), [document])


def test_the_same_has_the_same_token() -> None:
    assert token(composed()) == token(composed())


@pytest.mark.parametrize("side", ["supplier", "customer"])
@pytest.mark.parametrize("told", [each.name for each in fields(PartyDetails)])
def test_everything_about_both_parties_counts(side: str, told: str) -> None:
    party = {"supplier": SUPPLIER, "customer": FIRM}[side]
    assert token(composed(**{side: replace(party, **{told: "jiné"})})) != token(composed())


@pytest.mark.parametrize(
    "changed",
    [
        {"terms": Terms(date(2026, 4, 1), 15)},
        {"terms": Terms(date(2026, 4, 2), 13)},
        {"language": "en"},
        {"kind": "annual"},
        {"deductions": [DEDUCTED]},
        {"original": Original("2600000001", date(2026, 3, 1))},
        {"reason": "oprava"},
        {"before": [VatRow(D("21.00"), D("0.02"), D("0.00"))]},
        {"given": {"past": [PastPeriod(DAY, DAY, D(5), "MWh")]}},
        {"given": {"findings": []}},
        {"given": {"quantities": {}}},
        {"line": {"name": "Jiná položka"}},
        {"line": {"unit_price": D("252566")}},
        {"line": {"why": {"mark": "assumed"}}},
        {"line": {"start": DAY, "end": DAY}},
    ],
)
def test_all_else_that_is_printed_counts(changed: dict[str, Any]) -> None:
    assert token(composed(**changed)) != token(composed())


@pytest.mark.parametrize("said", [{"stamp": "x"}, {"id": 101}, {"supplier": 9}, {"payer": 9}, {"statement": "final"}])
def test_what_is_behind_the_document_counts(said: dict[str, Any]) -> None:
    row = {"id": 100, **said}
    document = composed()
    assert token_of(orders([basis(row.pop("id"), **row)], "contract"), [document]) != token(document)
