"""What must hold in a message beyond its schema, as worked examples: one broken rule, one sentence."""

from collections.abc import Callable
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from central.market.contents import read_any, write_any
from central.market.format_package import load_package
from central.market.payloads import (
    billing_data,
    claims,
    distribution_invoice,
    lds_report,
    master_data,
    meter_states,
    service_monitor,
    supplier_switch,
)
from central.market.payloads.distribution_invoice import CENT
from central.market.payloads.master_data import MasterData, PointConsumption, PointMetering, Suspension
from tests.unit.central.market.content_examples import (
    ADVANCE,
    BILLED,
    CANCELLING,
    CHANGE,
    FIRST,
    INVOICE,
    LAST,
    METER,
    PAYLOADS,
    POINT_DATA,
    REPORT,
    envelope_of,
)

D = Decimal


def c_type(category: Any, **taken: Any) -> dict[str, Any]:
    return {
        "metering": PointMetering(kind="C", category=category),
        "consumption": PointConsumption(rate="D02d", **taken),
    }


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({}, None),
        (c_type("C1"), None),
        (c_type("C4", tdd_class="4", temperature_zone="1", planned_annual_kwh=0), None),
        (c_type("C4", tdd_class="4"), "is metered by C4 and has no temperature zone, no planned annual consumption"),
        ({"consumption": PointConsumption()}, "neither a category nor a distribution rate"),
        ({"consumption": None}, "neither a category nor a distribution rate"),
        ({"metering": PointMetering(kind="A", category="C1")}, "type A with the category C1"),
        ({"metering": PointMetering(kind="C")}, "type C with the category none"),
        ({"network": None}, "no network or no metering"),
        ({"last_day": date(2026, 2, 1)}, "ends on 2026-02-01 before it begins on 2026-03-01"),
        ({"action": "suspend"}, "has no days of a suspension"),
        ({"action": "cancel", "network": None, "metering": None, "consumption": None}, None),
        (
            {"suspensions": [Suspension(first_day=FIRST), Suspension(first_day=LAST)]},
            "from 2026-03-31 overlaps the one from 2026-03-01",
        ),
    ],
)
def test_registration(changes: dict[str, Any], sentence: str | None) -> None:
    found = master_data.problems(MasterData(points=[replace(POINT_DATA, **changes)]))
    assert (found == []) if sentence is None else any(sentence in one for one in found)


@pytest.mark.parametrize(
    ("invoice", "sentence"),
    [
        (INVOICE, None),
        (CANCELLING, None),
        (ADVANCE, None),
        (replace(INVOICE, net=D("3192.48")), "net total of 3192.48, expected 3192.47"),
        (replace(INVOICE, vat=D("670.43")), "VAT of 670.43, expected 670.42"),
        (replace(INVOICE, gross=D("3862.90")), "total with VAT of 3862.90, expected 3862.89"),
        (replace(INVOICE, to_pay=INVOICE.gross), "amount to pay of 3862.89, expected 2652.89"),
        (replace(INVOICE, vat_lines=[replace(INVOICE.vat_lines[0], vat=D("671.42"))]), "671.42 of VAT at 21 %"),
        (replace(INVOICE, items=INVOICE.items[1:]), "items of 480.48 at 21 % VAT, its recapitulation says 3192.47"),
        (replace(INVOICE, items=[replace(INVOICE.items[0], net=D(2712))]), "1.205 x 2250.61 is 2711.99, not 2712"),
        (replace(INVOICE, items=[replace(INVOICE.items[0], unit=None)]), "not all of quantity, unit and unit price"),
        (replace(INVOICE, meters=[replace(METER, multiplier=D(1))]), "that is 60.25, not 1205"),
        (replace(INVOICE, meters=[replace(METER, last_day=date(2026, 4, 1))]), "reaches beyond 2026-03-01"),
        (replace(INVOICE, tax_point=None), "has no tax point"),
        (replace(CANCELLING, corrects=None), "does not say which"),
        (replace(INVOICE, variable_symbol="12-3"), "expected 1 to 10 digits"),
        (replace(INVOICE, due=date(2026, 4, 1)), "before it is issued"),
        (
            replace(INVOICE, advances=[replace(INVOICE.advances[0], net=D(999))]),
            "The advance Z2026000045 of the invoice 2026000123 has 1210, not 1209",
        ),
    ],
)
def test_invoices(invoice: Any, sentence: str | None) -> None:
    found = distribution_invoice.problems(distribution_invoice.DistributionInvoices(invoices=[invoice]))
    assert (found == []) if sentence is None else any(sentence in one for one in found)


def invoice_of(items: list[tuple[int, int, int]]) -> distribution_invoice.DistributionInvoice:
    """An invoice of items (kWh, hundred-thousandths of a crown a kWh, VAT rate), summed as the law has it."""
    made = [
        replace(
            INVOICE.items[0],
            quantity=D(kwh),
            unit="KWH",
            unit_price=D(price).scaleb(-5),
            net=(D(kwh) * D(price).scaleb(-5)).quantize(CENT, ROUND_HALF_UP),
            vat_rate=D(rate),
        )
        for kwh, price, rate in items
    ]
    lines = []
    for rate in sorted({item.vat_rate for item in made}):
        base = sum((item.net for item in made if item.vat_rate == rate), D(0))
        tax = (base * rate / 100).quantize(CENT, ROUND_HALF_UP)
        lines.append(distribution_invoice.VatLine(rate=rate, base=base, vat=tax))
    net, vat = sum((line.base for line in lines), D(0)), sum((line.vat for line in lines), D(0))
    paid = sum((advance.gross for advance in INVOICE.advances), D(0))
    return replace(INVOICE, items=made, vat_lines=lines, net=net, vat=vat, gross=net + vat, to_pay=net + vat - paid)


@given(
    st.lists(
        st.tuples(st.integers(-(10**6), 10**6), st.integers(0, 10**6), st.sampled_from([0, 12, 21])),
        min_size=1,
        max_size=8,
    ),
    st.data(),
)
@settings(max_examples=50)
def test_items_sum_to_the_recapitulation_and_that_to_the_totals(
    items: list[tuple[int, int, int]], data: st.DataObject
) -> None:
    invoice = invoice_of(items)

    def told(one: distribution_invoice.DistributionInvoice) -> list[str]:
        return distribution_invoice.problems(distribution_invoice.DistributionInvoices(invoices=[one]))

    assert told(invoice) == []
    total = data.draw(st.sampled_from(["net", "vat", "gross", "to_pay"]))
    assert told(replace(invoice, **{total: getattr(invoice, total) + CENT}))
    index = data.draw(st.integers(0, len(items) - 1))
    wrong = [replace(item, net=item.net + CENT) if at == index else item for at, item in enumerate(invoice.items)]
    assert len(told(replace(invoice, items=wrong))) == 2, "the item's own product and the recapitulation"


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({}, None),
        ({"segment": "historic", "meters": []}, None),
        ({"segment": "cancel"}, "does not say which"),
        ({"correction_reason": "claim", "concerns": "D2026-17"}, "corrects itself"),
        ({"meters": [replace(METER, first_state=D("9999.75"), last_state=D(60))]}, None),
        ({"meters": [replace(METER, last_state=D(1200))]}, "that is -10.0, not 1205"),
        ({"tariffs": [BILLED.tariffs[0], replace(BILLED.tariffs[1], first_day=date(2026, 3, 14))]}, "overlaps"),
        ({"tariffs": [replace(BILLED.tariffs[0], rate=None, breaker_amps=None)]}, "neither a rate nor a breaker"),
    ],
)
def test_billing_data(changes: dict[str, Any], sentence: str | None) -> None:
    found = billing_data.problems(billing_data.BillingData(documents=[replace(BILLED, **changes)]))
    assert (found == []) if sentence is None else any(sentence in one for one in found)


WHOLE: dict[Any, Decimal | None] = dict.fromkeys((*lds_report.INPUTS, *lds_report.OUTPUTS), D(0)) | {
    "input_superior": D("120.5"),
    "consumption_business": D("117.25"),
}


def rows(values: dict[Any, Decimal | None]) -> list[lds_report.ReportRow]:
    return [lds_report.ReportRow(section=section, value_mwh=value) for section, value in values.items()]


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        (WHOLE | {"losses": D("3.25")}, None),
        (WHOLE | {"losses": D(3)}, "losses of 3 MWh; what came in less what went out is 3.25 MWh"),
        (WHOLE | {"losses": None}, None),
        (WHOLE | {"own_consumption": None, "losses": D(3)}, None),
        (WHOLE | {"own_consumption": D(-1)}, "expected 0 or more"),
    ],
)
def test_the_report_of_a_local_network(values: dict[Any, Decimal | None], sentence: str | None) -> None:
    found = lds_report.problems(lds_report.NetworkReports(reports=[replace(REPORT, rows=rows(values))]))
    assert (found == []) if sentence is None else any(sentence in one for one in found)


@pytest.mark.parametrize(("area", "named"), [("LDS01", "LDS01"), (None, REPORT.operator)])
def test_a_report_is_named_by_its_area_or_its_operator(area: str | None, named: str) -> None:
    wrong = replace(REPORT, area=area, rows=rows({"input_superior": D(-1)}))
    assert lds_report.problems(lds_report.NetworkReports(reports=[wrong])) == [
        f"The report of {named} for 03/2026 has -1 MWh in input_superior, expected 0 or more."
    ]


def test_not_known_and_zero_stay_apart() -> None:
    package = load_package("sandbox-2026")
    content = write_any(package, envelope_of(package, "277"), lds_report.NetworkReports(reports=[REPORT]))
    assert b'<Row section="02" value="0"/>' in content
    assert b'<Row section="06"/>' in content
    values = {row.section: row.value_mwh for row in read_any(package, content).payload.reports[0].rows}
    assert (values["input_generators"], values["consumption_households"]) == (D(0), None)


def test_a_section_or_a_report_stands_once() -> None:
    twice = replace(REPORT, rows=[*REPORT.rows, REPORT.rows[0]])
    found = lds_report.problems(lds_report.NetworkReports(reports=[twice, REPORT]))
    assert [one for one in found if "input_superior 2 times" in one]
    assert [one for one in found if "stands more than once" in one]


def test_meter_states() -> None:
    example = PAYLOADS["122"]
    assert isinstance(example, meter_states.MeterStates)
    point = example.locations[0]
    state = point.meters[0]

    def told(*states: meter_states.MeterState) -> list[str]:
        return meter_states.problems(meter_states.MeterStates(locations=[replace(point, meters=list(states))]))

    assert told(state) == []
    assert "stands 2 times for 2026-03-31" in told(state, replace(state, state=D(1)))[0]
    assert "multiplier 0" in told(replace(state, multiplier=D(0)))[0]
    assert "no state of a meter" in told()[0]


@pytest.mark.parametrize(
    ("problems", "record", "sentence"),
    [
        (claims.problems, claims.Claims(), "neither a claim nor an answer"),
        (
            claims.problems,
            claims.Claims(answers=[claims.ClaimAnswer(claim="R-1", result="reject")]),
            "R-1 is rejected without a reason",
        ),
        (supplier_switch.problems, supplier_switch.SupplierSwitch(), "neither a request nor a statement"),
        (
            supplier_switch.problems,
            supplier_switch.SupplierSwitch(
                changes=[replace(CHANGE, kind="standard", old_supplier=CHANGE.new_supplier)]
            ),
            "changes the supplier 8591824648933 to itself",
        ),
        (
            supplier_switch.problems,
            supplier_switch.SupplierSwitch(
                statements=[supplier_switch.Statement(request="Z-1", party="distributor", result="reject")]
            ),
            "a refusal without a reason",
        ),
        (
            supplier_switch.problems,
            supplier_switch.SupplierSwitch(
                statements=[
                    supplier_switch.Statement(request="Z-1", party="distributor", result="accept", reason="no_contract")
                ]
            ),
            "is a consent and has the reason no_contract of a refusal",
        ),
        (
            supplier_switch.problems,
            supplier_switch.SupplierSwitch(
                statements=[
                    supplier_switch.Statement(request="Z-1", party="distributor", result="reject", reason="other")
                ]
            ),
            "has another reason and no text that names it",
        ),
        (
            service_monitor.problems,
            service_monitor.MonitorReport(
                findings=[service_monitor.MonitorFinding(opm=POINT_DATA.opm, code="901", last_day=LAST)]
            ),
            "belongs to no known family",
        ),
    ],
)
def test_claims_switches_and_the_monitor(problems: Callable[[Any], list[str]], record: Any, sentence: str) -> None:
    found = problems(record)
    assert len(found) == 1
    assert sentence in found[0]


def test_numbers_of_any_length_are_told_and_not_stumbled_over() -> None:
    huge = D("99999999999999999999.999999999999999")
    item = replace(INVOICE.items[0], quantity=huge, unit_price=huge)
    meter = replace(METER, last_state=huge, multiplier=huge)
    invoice = replace(INVOICE, items=[item, *INVOICE.items[1:]], meters=[meter], gross=huge)
    found = distribution_invoice.problems(distribution_invoice.DistributionInvoices(invoices=[invoice]))
    assert any("is 9999999999999999999999999999999999800000.00, not 2711.99" in one for one in found)
    assert any("that is 9999999999999999879949999999999999800000.0000" in one for one in found)


def test_families_of_the_monitor() -> None:
    example = PAYLOADS["249"]
    assert isinstance(example, service_monitor.MonitorReport)
    assert [finding.family for finding in example.findings] == ["balance_party_ends", "point_ends"]
