"""The tax point of a statement: the day of the reading, or of knowing what was not read."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from lxml import etree

import central.invoicing.kinds as module
from central.invoicing.compose import About, Terms, compose
from central.invoicing.compose_rows import BasisRow, PointInput
from central.invoicing.document import Original
from central.invoicing.isdoc import NAMESPACE, problems_of, write_isdoc
from central.invoicing.kinds import FILE, kinds, tax_point_rule
from central.invoicing.payments.journal import pohoda_document
from central.invoicing.payments.journal_entries import accounts, document_entries
from central.invoicing.payments.pohoda import write_pohoda
from central.invoicing.tax_point import consumption_of
from shared.metering_day import month_bounds
from shared.quantities import Commodity, Flag
from tests.unit.central.invoicing.test_documents import FIRM, SUPPLIER, bases, high_voltage, low_voltage

D = Decimal
ISSUED = Terms(date(2026, 4, 8), 14)
SETTLED = datetime(2026, 4, 1, 22, 30, tzinfo=UTC)
"""2 April in Prague."""
LAST, KNOWN = date(2026, 3, 31), date(2026, 4, 2)
END = datetime(2026, 3, 31, 22, tzinfo=UTC)
NEGATIVE, CANCELS = 5, 7


def rows(point: int = 1, **said: Any) -> list[BasisRow]:
    return [replace(row, **{"made_at": SETTLED, "measured": True, **said}) for row in bases(point)]


def by_state(at: datetime, **said: Any) -> PointInput:
    given = low_voltage()
    (period,) = given.readings[0]["periods"]
    ends = {"from": period["from"], "to": {**period["to"], "at": at.isoformat(), "kind": "remote", **said}}
    return replace(given, readings=[{**given.readings[0], "periods": [{**period, **ends}]}])


def tax_point(*points: tuple[PointInput, list[BasisRow]], kind: str = "regular") -> date | None:
    return compose("1", SUPPLIER, FIRM, points, ISSUED, About(kind=kind)).tax_date


@pytest.mark.parametrize(
    ("given", "said", "expected"),
    [
        (high_voltage(), {}, LAST),  # a profile is read to its last day
        (high_voltage(), {"computed": True}, KNOWN),
        (by_state(END), {}, LAST),  # a state at midnight is of the day that it ends
        (by_state(datetime(2026, 3, 28, 13, tzinfo=UTC)), {}, date(2026, 3, 28)),
        (by_state(END + timedelta(seconds=7)), {}, LAST),
        (by_state(END, kind="estimate"), {}, KNOWN),
        (by_state(END, kind="customer"), {}, LAST),
        (by_state(END, kind="split", quality=int(Flag.SUBSTITUTED)), {}, KNOWN),
        (by_state(END, quality=int(Flag.SUBSTITUTED | Flag.LATE)), {}, KNOWN),
        (by_state(END, quality=int(Flag.LATE)), {}, LAST),
        (by_state(END, kind="estimate"), {"measured": False}, LAST),  # what is not billed by the state
        (high_voltage(), {"measured": False}, LAST),  # made by hand: nothing was taken
    ],
)
def test_the_day_of_the_reading_or_of_knowing(given: PointInput, said: dict[str, Any], expected: date) -> None:
    assert tax_point((given, rows(given.supply_point, **said))) == expected


def test_the_latest_of_several_points_holds_and_a_correction_has_its_issue() -> None:
    points = (high_voltage(), rows()), (high_voltage(3), rows(3, computed=True))
    assert [tax_point(*points, kind=kind) for kind in ("collective", "annual", "corrective")] == [
        KNOWN, KNOWN, ISSUED.issue_date,
    ]  # fmt: skip


def test_what_is_taken_back_says_nothing_beside_what_is_billed() -> None:
    back = rows(computed=True, statement_type=NEGATIVE)
    assert tax_point((high_voltage(), [*back, *rows()]), kind="annual") == LAST
    assert tax_point((high_voltage(), back), (high_voltage(3), rows(3)), kind="annual") == LAST
    assert tax_point((high_voltage(), back), kind="annual") == KNOWN
    (alone,) = consumption_of([(high_voltage(), rows(statement_type=CANCELS))])
    assert (alone.how, alone.reading, alone.knowing, alone.last_metering) == ("read", LAST, KNOWN, LAST)


def test_a_gas_day_ends_at_six() -> None:
    start, end = month_bounds(Commodity.GAS, 2026, 3)
    given = high_voltage()
    facts = {**given.facts, "supply_point": {**given.facts["supply_point"], "commodity": "gas"}}
    (month,) = consumption_of([(replace(given, facts=facts, start=start, end=end), rows())])
    assert (month.reading, month.last_metering) == (LAST, LAST)


def test_which_day_holds_is_data_with_its_mark_since_a_day() -> None:
    today = {kind: tax_point_rule(kind, ISSUED.issue_date) for kind in kinds()}
    assert {kind for kind, rule in today.items() if rule.day == "consumption"} == {"regular", "annual", "collective"}
    assert {rule.mark for rule in today.values()} == {"documented", "inferred", "assumed"}
    assert all(rule.source for rule in today.values())
    assert '"read": {"day": "reading", "mark": "documented"}' in FILE.read_text()
    # the wording of before 2024 is documented; that it goes on to hold is not
    marks = [tax_point_rule("regular", day).mark for day in (date(2023, 12, 31), date(2024, 1, 1))]
    assert marks == ["documented", "inferred"]


@pytest.fixture
def by_issue(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """An operator who follows the law's wording since 2024, by the data."""
    said = json.loads(FILE.read_text())
    said["tax_points"]["statement"][1]["day"] = "issue"
    changed = tmp_path / "kinds.json"
    changed.write_text(json.dumps(said))
    monkeypatch.setattr(module, "FILE", changed)
    forget_kinds()
    yield
    monkeypatch.undo()
    forget_kinds()


def forget_kinds() -> None:
    module._file.cache_clear()
    module.kinds.cache_clear()


RATES = (D("12.00"), D("21.00"))
BEFORE_2024 = Terms(date(2023, 12, 31), 14)


def whole_path(kind: str, terms: Terms = ISSUED) -> dict[str, Any]:
    """A document over a change of the rate of VAT, by all that tells its tax point, and what it recapitulates."""
    billed = [replace(row, vat_percent=RATES[place % 2]) for place, row in enumerate(rows())]
    about = About(kind=kind) if kind == "regular" else About(kind, original=Original("1", LAST), reason="oprava")
    made = compose("2600000001", SUPPLIER, FIRM, [(high_voltage(), billed)], terms, about)
    xml = write_isdoc(made)
    assert problems_of(xml) == []
    rates = [(each.percent, each.base, each.vat) for each in made.vat_rows]
    row = SimpleNamespace(
        number=made.number, kind=made.kind, issue_date=made.issue_date, tax_date=made.tax_date, net=made.net,
        vat=made.vat, currency="CZK", payer_code="P", variable_symbol="1", due_date=made.due_date, payer_name="P",
        street="", city="", postal_code="", ico=None, dic=None, claimed=None,
        vat_rows=[dict(zip(("percent", "base", "vat"), map(str, each), strict=True)) for each in rates],
    )  # fmt: skip
    entries = list(document_entries(row, accounts()["accounts"]))
    assert sum(entry.amount for entry in entries) == made.gross
    pohoda = etree.fromstring(write_pohoda("ROZ1", "", [pohoda_document(row)]))
    return {
        "document": made.tax_date,
        "isdoc": date.fromisoformat(etree.fromstring(xml).findtext(f"{{{NAMESPACE}}}TaxPointDate") or ""),
        "journal": {entry.day for entry in entries},
        "pohoda": date.fromisoformat(pohoda.findtext(".//{*}dateTax") or ""),
        "rates": rates,
    }


@pytest.mark.parametrize(
    ("kind", "expected"), [("regular", (LAST, ISSUED.issue_date)), ("corrective", (ISSUED.issue_date,) * 2)]
)
def test_either_tax_point_goes_the_whole_way_over_a_change_of_vat(
    kind: str, expected: tuple[date, date], request: pytest.FixtureRequest
) -> None:
    told = []
    for day in expected:
        made = whole_path(kind)
        assert {made["document"], made["isdoc"], made["pohoda"], *made["journal"]} == {day}
        told.append(made["rates"])
        request.getfixturevalue("by_issue")
    # the day moves nothing of the money: each rate is recapitulated once, of what was taken under it
    assert told[0] == told[1]
    assert [percent for percent, _, _ in told[0]] == list(RATES)
    assert all(vat == (base * percent / 100).quantize(D("0.01"), ROUND_HALF_UP) for percent, base, vat in told[0])


def test_what_was_issued_before_the_new_wording_keeps_the_day_of_the_reading(by_issue: None) -> None:
    assert whole_path("regular", BEFORE_2024)["document"] == LAST
    assert whole_path("regular")["document"] == ISSUED.issue_date


@pytest.mark.parametrize("days", [["2024-01-01"], [None, None], [None, "2025-01-01", "2024-01-01"], []])
def test_tax_points_that_do_not_follow_each_other_are_refused(
    days: list[str | None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = json.loads(FILE.read_text())
    said["tax_points"]["statement"] = [{"since": day, "day": "issue", "mark": "assumed", "source": "x"} for day in days]
    changed = tmp_path / "kinds.json"
    changed.write_text(json.dumps(said))
    monkeypatch.setattr(module, "FILE", changed)
    forget_kinds()
    try:
        with pytest.raises(ValueError, match="must say the tax point statement of the kind regular"):
            kinds()
    finally:
        monkeypatch.undo()
        forget_kinds()
