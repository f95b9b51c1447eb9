"""One record of every message that a mapping writes; the package's samples are these, written.

`python -m tests.unit.central.market.content_examples` writes the samples anew after a mapping was changed.
"""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, Final

import msgspec

from central.market.contents import Payload, write_any
from central.market.envelope import Envelope, Participant
from central.market.format_package import FormatPackage, load_package
from central.market.payloads.billing_data import BilledTariff, BilledValue, BillingData, BillingDocument
from central.market.payloads.claims import Claim, ClaimAnswer, Claims
from central.market.payloads.distribution_invoice import (
    DeductedAdvance,
    DistributionInvoice,
    DistributionInvoices,
    InvoiceItem,
    InvoiceSubjects,
    VatLine,
)
from central.market.payloads.lds_report import NetworkReport, NetworkReports, ReportRow
from central.market.payloads.master_data import (
    MasterData,
    PointConsumption,
    PointCustomer,
    PointData,
    PointMetering,
    PointNetwork,
    PointParty,
    PointSource,
    Suspension,
)
from central.market.payloads.meter_states import MeterState, MeterStates, PointStates
from central.market.payloads.meters import MeterPeriod
from central.market.payloads.requests import AskedPoint, DataRequest
from central.market.payloads.service_monitor import MonitorFinding, MonitorReport
from central.market.payloads.supplier_switch import ChangeOfSupplier, Statement, SupplierSwitch
from central.market.response import FORMATS, Reason, Response
from tests.unit.central.market.gas_examples import GAS_PAYLOADS

POINT: Final = "859182400211637793"
OTHER: Final = "859182400211958560"
THIRD: Final = "859182400221784180"
US: Final = "8591824556207"
SUPPLIER: Final = "8591824648933"
OPERATOR: Final = "8591824000007"
D = Decimal
FIRST, LAST = date(2026, 3, 1), date(2026, 3, 31)


def envelope_of(package: FormatPackage, code: str) -> Envelope:
    """From us to the operator or back; an answer refers to the sample of what it answers."""
    is_out = package.message(code).direction == "out"
    answered = tuple(f"{entry.code}-1" for entry in package.data.messages if entry.answer_code == code)
    return Envelope(
        id=f"{code}-1",
        code=code,
        at=datetime(2026, 4, 1, 8, tzinfo=UTC),
        sender=Participant(US if is_out else OPERATOR),
        receiver=Participant(OPERATOR if is_out else US),
        references=answered,
    )


POINT_DATA: Final = PointData(
    opm=POINT,
    action="register",
    kind="take_off",
    first_day=FIRST,
    name="Hala 3",
    network=PointNetwork(operator=US, level="NN", area="LDS01", parent=OTHER, connection_point="RH1/4"),
    metering=PointMetering(kind="C", category="C4", reading_cycle="yearly"),
    consumption=PointConsumption(
        category="MOP",
        rate="C25d",
        tdd_class="4",
        temperature_zone="1",
        planned_annual_kwh=12_500,
        breaker_phases=3,
        breaker_amps=D(25),
    ),
    sources=[PointSource(kind="photovoltaic", installed_kw=D("9.9"), commissioned=date(2025, 6, 1))],
    parties=[
        PointParty(role="supplier", id=SUPPLIER, first_day=FIRST),
        PointParty(role="balance_party", id=SUPPLIER, first_day=FIRST, share_percent=D(100)),
    ],
    customer=PointCustomer(kind="business", name="Truhlářství „Dub“ & syn, s.r.o.", company_number="27082440"),
)
METER: Final = MeterPeriod(
    meter="4410021",
    register="high",
    first_day=FIRST,
    last_day=LAST,
    first_state=D("1200.5"),
    last_state=D("1260.75"),
    multiplier=D(20),
    consumption=D(1205),
    unit="KWH",
    reason="change_of_supplier",
    kind="read",
)
SPAN: Final[dict[str, Any]] = {"first_day": FIRST, "last_day": LAST}
INVOICE: Final = DistributionInvoice(
    number="2026000123",
    variable_symbol="2026000123",
    currency="CZK",
    kind="regular",
    issued=date(2026, 4, 8),
    tax_point=LAST,
    due=date(2026, 4, 22),
    **SPAN,
    net=D("3192.47"),
    vat=D("670.42"),
    gross=D("3862.89"),
    to_pay=D("2652.89"),
    subjects=InvoiceSubjects(issuer=US, recipient=SUPPLIER, opm=POINT),
    items=[
        InvoiceItem(
            code="DIST_VT", description="distribuce VT", **SPAN, quantity=D("1.205"), unit="MWH",
            unit_price=D("2250.61"), net=D("2711.99"), vat_rate=D(21),
        ),
        InvoiceItem(
            code="DIST_BREAKER", description="jistič 3×25 A", **SPAN, quantity=D(1), unit="MONTH",
            unit_price=D(274), net=D(274), vat_rate=D(21),
        ),
        InvoiceItem(
            code="SYS_SERV", description="systémové služby", **SPAN, quantity=D("1.205"), unit="MWH",
            unit_price=D("171.35"), net=D("206.48"), vat_rate=D(21),
        ),
    ],
    vat_lines=[VatLine(rate=D(21), base=D("3192.47"), vat=D("670.42"))],
    advances=[
        DeductedAdvance(number="Z2026000045", paid=date(2026, 3, 15), net=D(1000), vat=D(210), gross=D(1210))
    ],
    meters=[METER],
)  # fmt: skip
RECEIVED_SUBJECTS: Final = InvoiceSubjects(issuer=SUPPLIER, recipient=US, opm=POINT)
CANCELLING: Final = DistributionInvoice(
    number="2026000124",
    variable_symbol="2026000124",
    currency="CZK",
    kind="cancel",
    corrects="2025000981",
    correction_reason="claim",
    issued=date(2026, 4, 8),
    tax_point=date(2026, 4, 8),
    due=date(2026, 4, 22),
    **SPAN,
    net=D(-274),
    vat=D("-57.54"),
    gross=D("-331.54"),
    to_pay=D("-331.54"),
    subjects=InvoiceSubjects(issuer=US, recipient=SUPPLIER, opm=POINT),
    items=[
        InvoiceItem(
            code="DIST_BREAKER", description="jistič 3×25 A", **SPAN, quantity=D(-1), unit="MONTH",
            unit_price=D(274), net=D(-274), vat_rate=D(21),
        )
    ],
    vat_lines=[VatLine(rate=D(21), base=D(-274), vat=D("-57.54"))],
)  # fmt: skip
ADVANCE: Final = DistributionInvoice(
    number="Z2026000046",
    variable_symbol="2026000046",
    currency="CZK",
    kind="advance",
    issued=date(2026, 4, 1),
    due=date(2026, 4, 15),
    **SPAN,
    net=D(1000),
    vat=D(210),
    gross=D(1210),
    to_pay=D(1210),
    subjects=InvoiceSubjects(issuer=US, recipient=SUPPLIER, opm=POINT),
    items=[InvoiceItem(code="ADV", description="záloha", **SPAN, net=D(1000), vat_rate=D(21))],
    vat_lines=[VatLine(rate=D(21), base=D(1000), vat=D(210))],
)
BILLED: Final = BillingDocument(
    opm=POINT,
    segment="regular",
    number="D2026-17",
    **SPAN,
    meters=[METER],
    tariffs=[
        BilledTariff(first_day=FIRST, last_day=date(2026, 3, 14), rate="C25d", breaker_phases=3, breaker_amps=D(25)),
        BilledTariff(first_day=date(2026, 3, 15), last_day=LAST, rate="C25d", breaker_phases=3, breaker_amps=D(32)),
    ],
    values=[BilledValue(code="energy_high", quantity=D("1.205"), unit="MWH")],
)
REPORT: Final = NetworkReport(
    operator=US,
    area="LDS01",
    month=FIRST,
    version=1,
    rows=[
        ReportRow(section="input_superior", value_mwh=D("120.5")),
        ReportRow(section="input_generators", value_mwh=D(0)),
        ReportRow(section="consumption_business", value_mwh=D("117.25")),
        ReportRow(section="consumption_households", value_mwh=None),
        ReportRow(section="losses", value_mwh=D("3.25")),
    ],
)
CHANGE: Final = ChangeOfSupplier(
    request="ZD-2026-0007", opm=POINT, kind="new_connection", first_day=date(2026, 4, 10), new_supplier=SUPPLIER,
    balance_party=SUPPLIER,
)  # fmt: skip
PAYLOADS: Final[dict[str, Payload]] = {
    "111": MasterData(
        points=[
            POINT_DATA,
            PointData(
                opm=OTHER,
                action="suspend",
                kind="take_off",
                first_day=FIRST,
                suspensions=[Suspension(first_day=FIRST, last_day=LAST), Suspension(first_day=date(2026, 5, 1))],
            ),
            msgspec.structs.replace(POINT_DATA, opm=THIRD, action="change", customer=None),
            PointData(opm=THIRD, action="cancel", kind="take_off", first_day=FIRST, last_day=LAST),
        ]
    ),
    "194": MasterData(
        points=[
            POINT_DATA,
            PointData(
                opm=OTHER,
                action="register",
                kind="delivery",
                first_day=FIRST,
                network=PointNetwork(operator=US, level="VN"),
                metering=PointMetering(kind="A", resolution="PT15M"),
                consumption=PointConsumption(category="VYR", reserved_year_mw=D("0.25"), reserved_input_mw=D("0.4")),
            ),
        ]
    ),
    "122": MeterStates(
        locations=[
            PointStates(
                opm=POINT,
                version=1,
                meters=[
                    MeterState(
                        meter="4410021", register=register, day=LAST, state=state, multiplier=D(20), unit="KWH",
                        reason="periodic", kind="read",
                    )
                    for register, state in (("high", D("1260.75")), ("low", D("0.125")))
                ],
            )
        ]
    ),
    "127": DistributionInvoices(invoices=[INVOICE, CANCELLING, ADVANCE]),
    "240": DistributionInvoices(
        invoices=[msgspec.structs.replace(INVOICE, number="2026000240", subjects=RECEIVED_SUBJECTS)]
    ),
    "277": NetworkReports(reports=[REPORT]),
    "249": MonitorReport(
        findings=[
            MonitorFinding(opm=POINT, code="201", last_day=LAST, party=SUPPLIER, text="konec přiřazení SZ"),
            MonitorFinding(opm=OTHER, code="301", last_day=LAST),
        ]
    ),
    "XR1": DataRequest(locations=[AskedPoint(opm=POINT, **SPAN, direction="A+")]),
    "XR3": DataRequest(locations=[AskedPoint(opm=POINT, **SPAN), AskedPoint(opm=OTHER, **SPAN)]),
    "XM1": MasterData(points=[POINT_DATA]),
    "XD1": BillingData(
        documents=[
            BILLED,
            BillingDocument(opm=OTHER, segment="historic", number="D2025-3", **SPAN),
            BillingDocument(
                opm=OTHER, segment="cancel", number="D2026-18", concerns="D2025-4", correction_reason="network_error",
                **SPAN,
            ),
        ]
    ),
    "XC1": Claims(answers=[ClaimAnswer(claim="R-12", result="reject", reason="data_right", text="Odečet je doložen.")]),
    "XC3": Claims(
        claims=[
            Claim(claim="R-12", opm=POINT, kind="metering", message="121-1", **SPAN, state="new", text="Příliš mnoho.")
        ]
    ),
    "XS1": SupplierSwitch(changes=[CHANGE]),
    "XS2": SupplierSwitch(
        statements=[
            Statement(request="ZD-2026-0007", party="distributor", result="accept"),
            Statement(request="ZD-2026-0008", party="distributor", result="reject", reason="not_connected"),
        ]
    ),
} | GAS_PAYLOADS  # fmt: skip
"""By message code."""


def payload_of(package: FormatPackage, code: str) -> Payload:
    """The example of a code; every answer says yes."""
    if package.message(code).format in FORMATS:
        return Response(envelope_of(package, code), [Reason("A01", "0200", "zpráva úspěšně přijata")])
    return PAYLOADS[code]


def main() -> None:
    """Write the samples of the shipped package."""
    package = load_package("sandbox-2026")
    for entry in package.data.messages:
        if entry.code in PAYLOADS or (entry.format in FORMATS and entry.code != "X21"):
            assert entry.sample is not None, entry.code
            content = write_any(package, envelope_of(package, entry.code), payload_of(package, entry.code))
            (package.folder / entry.sample).write_bytes(content)


if __name__ == "__main__":
    main()
