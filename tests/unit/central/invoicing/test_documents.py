"""Composed documents: totals, ISDOC against the official schema, what is printed, rendered pages."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
import segno
from lxml import etree

from central.invoicing.compose import Terms, compose
from central.invoicing.compose_rows import BasisRow, PointInput
from central.invoicing.document import InvoiceDocument, PartyDetails, VatRow, recapitulate
from central.invoicing.isdoc import METERING, NAMESPACE, problems_of, require_valid, write_isdoc
from central.invoicing.pdf import render_pages, render_pdf
from central.invoicing.printed import payment_text, printed, qr_svg
from central.invoicing.wording import SPACE, wording
from central.platform.errors import BadInput
from shared.metering_day import month_bounds
from shared.quantities import Commodity
from tests.unit.central.invoicing.pages import dark, holds_qr, ppi_of, texts_of

SUPPLIER = PartyDetails(
    name="Energie Vlčí Důl, s.r.o.",
    street="Průmyslová 1",
    postal_code="517 41",
    city="Vlčí Důl",
    ico="28409001",
    dic="CZ28409001",
    iban="CZ2420100000002600123457",
    registration="zapsána v obchodním rejstříku, oddíl C, vložka 12345",
    email="fakturace@example.cz",
)
FIRM = PartyDetails("Lisovna Hájek, a.s.", "Průmyslová 10", "517 41", "Vlčí Důl", ico="28410009", dic="CZ28410009")
HOUSEHOLD = PartyDetails("Lenka Němcová", "Sídliště", "517 41", "Vlčí Důl")
TERMS = Terms(date(2026, 4, 1), 14)

WORKED = [
    # the worked month at medium voltage
    (6, "Roční rezervovaná kapacita", "0.300", "MW", "252565", "75769.50"),
    (5, "Měsíční rezervovaná kapacita", "0.050", "MW", "281823", "14091.15"),
    (17, "Překročení rezervované kapacity", "22", "kW", "422.7345", "9300.16"),
    (7, "Použití sítí", "118.456", "MWh", "106.22", "12582.40"),
    (15, "Systémové služby", "118.456", "MWh", "164.24", "19455.21"),
    (9, "Provoz nesíťové infrastruktury", "1", "měs", "12.87", "12.87"),
    (10, "Nevyžádaná dodávka jalové energie", "2.310", "MVArh", "440", "1016.40"),
]


def bases(point: int = 1) -> list[BasisRow]:
    return [
        BasisRow(
            id=point * 100 + place,
            supply_point=point,
            rate=rate,
            name=name,
            quantity=Decimal(quantity),
            unit=unit,
            unit_price=Decimal(price),
            price_unit=f"Kč/{unit}",
            amount=Decimal(amount),
            vat_percent=Decimal("21.00"),
            why={"price": {"source": "Cenový výměr ERÚ č. 13/2025", "example": False}},
        )
        for place, (rate, name, quantity, unit, price, amount) in enumerate(WORKED)
    ]


def high_voltage(point: int = 1) -> PointInput:
    start, end = month_bounds(Commodity.ELECTRICITY, 2026, 3)
    return PointInput(
        id=point * 10,
        supply_point=point,
        facts={
            "period": ["2026-03-01", "2026-04-01"],
            "supply_point": {
                "ean": "859182400941700026",
                "name": "Hala A, lisovna plastů",
                "address": ["Průmyslová 10", "517 41", "Vlčí Důl"],
                "commodity": "electricity",
                "level": "VN",
                "metering_type": "A",
            },
            "contract": {"number": "SoD-0002"},
            "item": {
                "rate": None,
                "breaker_phases": None,
                "breaker_amps": None,
                "reserved_capacity_year_kw": "300.000",
                "reserved_capacity_month_kw": "50.000",
                "reserved_input_kw": "400.000",
            },
            "channels": [{"mappings": [{"evidence_channel": 1, "serial": "48210074", "multiplier": 1}]}],
        },
        start=start,
        end=end,
        quantities={
            "energy_mwh": "118.456",
            "max_quarter_hour_kw": "372",
            "max_quarter_hour_at": datetime(2026, 3, 29, 1, 0, tzinfo=UTC).isoformat(),
        },
        readings=[],
        information=[
            {
                "rate": 8,
                "name": "Podpora elektřiny z podporovaných zdrojů (POZE)",
                "quantity": "0.400",
                "unit": "MW",
                "price_unit": "Kč/MW/měs",
                "source": "Cenový výměr ERÚ č. 15/2025",
            }
        ],
        findings=[{"component": "power_factor", "text": "Účiník: tg φ = 0,210, bez přirážky."}],
    )


def low_voltage() -> PointInput:
    given = high_voltage(2)

    def state(value: int, month: int) -> dict[str, Any]:
        at = datetime(2026, month, 28, 23, tzinfo=UTC)
        return {"evidence_channel": 1, "at": at.isoformat(), "value": value, "exponent": 1, "batch": 5}

    facts = dict(given.facts)
    facts["supply_point"] = {**facts["supply_point"], "level": "NN", "metering_type": "C4"}
    facts["item"] = {**facts["item"], "rate": "D25d", "breaker_phases": 3, "breaker_amps": 25}
    reading = {
        "direction": "NT",
        "exponent": 0,
        "periods": [{"factor": 10, "from": state(104_400, 2), "to": state(124_288, 3)}],
    }
    return replace(
        given, facts=facts, readings=[reading, {**reading, "direction": "VT"}], quantities={"energy_mwh": "0.397"}
    )


def worked(customer: PartyDetails = FIRM, points: int = 1) -> InvoiceDocument:
    sections = [(high_voltage(point), bases(point)) for point in range(1, points + 1)]
    return compose("2600000001", SUPPLIER, customer, sections, TERMS)


def column(sheet: dict[str, Any], place: int, styles: tuple[str, ...] = ("", "soft", "caption", "raised")) -> list[str]:
    """The texts of a printed column by row, as far as they are in these styles."""
    told = ["".join(text for style, text in part["columns"][place] if style in styles) for part in sheet["groups"]]
    return "\n".join(told).split("\n")


def test_totals_dates_and_the_order_of_lines() -> None:
    document = worked()
    assert (document.net, document.vat, document.gross) == (
        Decimal("132227.69"),
        Decimal("27767.81"),
        Decimal("159995.50"),
    )
    assert [line.rate for line in document.lines] == [6, 5, 17, 7, 15, 8, 9, 10]
    assert [line.number for line in document.lines] == list(range(1, 9))
    assert [line.rate for line in document.lines if line.is_information] == [8]
    assert (document.tax_date, document.due_date) == (date(2026, 3, 31), date(2026, 4, 15))
    assert document.sources == ["Cenový výměr ERÚ č. 13/2025", "Cenový výměr ERÚ č. 15/2025"]


def test_vat_is_taken_once_a_rate() -> None:
    line = worked().lines[0]
    lines = [replace(line, amount=Decimal("0.02")) for _ in range(3)] + [replace(line, vat_percent=Decimal(12))]
    assert recapitulate(lines) == [
        VatRow(Decimal(12), Decimal("75769.50"), Decimal("9092.34")),
        VatRow(Decimal("21.00"), Decimal("0.06"), Decimal("0.01")),
    ]


def test_many_points_of_one_payer_number_their_lines_through() -> None:
    document = worked(points=3)
    assert [line.number for line in document.lines] == list(range(1, 25))
    assert document.net == 3 * Decimal("132227.69")
    assert document.vat == Decimal("83303.44")  # of the sum, not three times the rounded one


@pytest.mark.parametrize("document", [worked(), worked(HOUSEHOLD), worked(points=3)])
def test_isdoc_keeps_the_schema(document: InvoiceDocument) -> None:
    isdoc = write_isdoc(document)
    assert problems_of(isdoc) == []
    assert write_isdoc(document) == isdoc
    root = etree.fromstring(isdoc)
    find = {"i": NAMESPACE, "m": METERING}
    assert root.findtext("i:DocumentType", namespaces=find) == "1"
    assert root.findtext("i:LegalMonetaryTotal/i:PayableAmount", namespaces=find) == str(document.gross)
    assert len(root.findall("i:InvoiceLines/i:InvoiceLine", find)) == len(document.lines)
    taxes = sum(
        Decimal(str(element.text)) for element in root.iterfind(".//i:InvoiceLine/i:LineExtensionTaxAmount", find)
    )
    assert abs(taxes - document.vat) <= Decimal("0.005")
    assert len(root.findall("i:Extensions/m:SupplyPoint", find)) == len(document.points)
    assert root.findtext(".//i:Details/i:BankCode", namespaces=find) == "2010"


def test_isdoc_without_an_account_has_no_payment() -> None:
    document = compose("2600000002", replace(SUPPLIER, iban=None), HOUSEHOLD, [(low_voltage(), bases(2))], TERMS)
    isdoc = write_isdoc(document)
    assert problems_of(isdoc) == []
    assert b"PaymentMeans" not in isdoc
    assert payment_text(document) is None
    assert printed(document)["qr"] is None


def test_a_broken_isdoc_never_leaves() -> None:
    broken = write_isdoc(worked()).replace(b"<DocumentType>1", b"<DocumentType>9")
    with pytest.raises(BadInput, match="ISDOC of invoice 26 breaks the schema"):
        require_valid(broken, "26")
    assert problems_of(b"<Invoice") != []


def test_printed_words() -> None:
    data = printed(worked())
    assert data["payable"] == f"159{SPACE}995,50"
    assert data["vat"] == [["21 %", f"132{SPACE}227,69", f"27{SPACE}767,81", f"159{SPACE}995,50"]]
    (point,) = data["points"]
    assert ["Čtvrthodinové maximum", f"372 kW, 29.{SPACE}3.{SPACE}2026{SPACE}03:00"] in point["facts"]
    assert ["Rezervovaný příkon", "400 kW"] in point["facts"]
    assert point["period"] == f"1.{SPACE}3.{SPACE}2026 – 31.{SPACE}3.{SPACE}2026"
    assert column(point["lines"], 4)[2] == "422,7345"
    information = [text for place in (4, 6) for style, text in point["lines"]["groups"][0]["columns"][place] if style]
    assert [text.strip() for text in information] == ["0,00", "0,00"]
    shares = [Decimal(part["share"]) for part in point["composition"]]
    assert abs(sum(shares) - 1) < Decimal("0.0001")
    assert point["remarks"] == ["Účiník: tg φ = 0,210, bez přirážky."]


def test_what_is_only_taken_over_is_printed_as_such() -> None:
    taken_over = "Cena 440 Kč/MVArh je převzatá hodnota."
    why = {
        "price": {"source": "Cenové rozhodnutí ERÚ pro rok 2021"},
        "mark": "inferred",
        "assumptions": [{"mark": "inferred", "text": taken_over}],
    }
    lines = bases()
    lines[-1] = replace(lines[-1], why=why)
    document = compose("2600000001", SUPPLIER, FIRM, [(high_voltage(), lines)], TERMS)
    data = printed(document)
    assert data["notes"] == [["1", taken_over]]
    (part,) = data["points"][0]["lines"]["groups"]
    assert [text for style, text in part["columns"][1] if style == "raised"] == ["1"]
    assert data["sources"] == [
        "Cenový výměr ERÚ č. 13/2025",
        "Cenový výměr ERÚ č. 15/2025",
        "Cenové rozhodnutí ERÚ pro rok 2021 (převzato, pro zúčtované období neověřeno)",
    ]
    assert taken_over in write_isdoc(document).decode()
    assert problems_of(write_isdoc(document)) == []
    assert render_pdf(document, write_isdoc(document)) != render_pdf(worked(), b"<Invoice/>")


def test_the_payment_code_has_its_quiet_zone() -> None:
    text = str(payment_text(worked()))
    size = segno.make(text, error="m", micro=False, boost_error=False).symbol_size(border=0)[0]
    assert f'width="{size + 8}" height="{size + 8}"' in qr_svg(text)


def test_printed_states() -> None:
    document = compose("2600000002", SUPPLIER, HOUSEHOLD, [(low_voltage(), bases(2))], TERMS)
    (point,) = printed(document)["points"]
    high, low = zip(*(column(point["registers"], place) for place in range(6)), strict=True)
    assert (high[1], low[1]) == ("VT (vysoký tarif)", "NT (nízký tarif)")
    assert high[2].startswith(f"1{SPACE}044{SPACE}kWh")
    assert high[3].startswith(f"1{SPACE}242,88{SPACE}kWh")
    assert (high[5], high[0]) == (f"198,88{SPACE}kWh", "48210074")
    assert ["Hlavní jistič", "3×25 A"] in point["facts"]


def test_gas_period_has_hours() -> None:
    start, end = month_bounds(Commodity.GAS, 2026, 3)
    given = replace(low_voltage(), start=start, end=end, readings=[])
    facts = dict(given.facts)
    facts["supply_point"] = {**facts["supply_point"], "commodity": "gas", "level": None}
    facts["item"] = {**facts["item"], "annual_mwh": "400.000", "gas_daily_capacity_m3": "260.000"}
    given = replace(given, facts=facts, information=[], quantities={"volume_m3": "6741.115", "volume_coefficient": "1"})
    energy = replace(
        bases(2)[0],
        rate=1001,
        quantity=Decimal("71.801"),
        why={
            "price": {"source": "Ceník", "example": True},
            "volume_coefficient": "1",
            "calorific_value_kwh_m3": "10.6512",
        },
    )
    document = compose("2600000003", SUPPLIER, FIRM, [(given, [energy])], TERMS)
    (point,) = printed(document)["points"]
    assert point["period"] == f"{wording('cs').instant(start)} – {wording('cs').instant(end)}"
    assert point["period"].count("06:00") == 2
    assert point["label"] == "EIC"
    assert ["Spalné teplo", "10,6512 kWh/m³"] in point["facts"]
    assert ["Energie", f"71{SPACE}801 kWh"] in point["facts"]
    assert document.example
    assert problems_of(write_isdoc(document)) == []


@pytest.mark.parametrize(
    ("value", "decimals", "text"),
    [
        ("1234567.5", None, "1 234 567,5"),
        ("252565", 2, "252 565,00"),
        ("422.7345", 2, "422,7345"),
        ("0", 2, "0,00"),
        ("-12.5", 2, "-12,50"),
    ],
)
def test_numbers_in_czech(value: str, decimals: int | None, text: str) -> None:
    assert wording("cs").number(Decimal(value), decimals) == text.replace(" ", SPACE)


def test_money() -> None:
    assert wording("cs").money(Decimal("1E+2")) == "100,00"


def test_pdf_is_the_same_every_time() -> None:
    document = worked()
    pdf = render_pdf(document, write_isdoc(document))
    assert pdf[:5] == b"%PDF-"
    assert render_pdf(document, write_isdoc(document)) == pdf


def test_pages_show_what_the_document_says_within_their_margins() -> None:
    document = worked(points=5)
    texts = texts_of(render_pdf(document, write_isdoc(document)))
    words, payment = wording("cs"), payment_text(document)
    assert len(texts) > 2
    assert payment is not None
    shown = [document.number, SUPPLIER.name, FIRM.name, words.money(document.payable), words.day_of(document.due_date)]
    assert all(each in texts[0] for each in shown)
    assert all(each in texts[-1] for each in (words.money(document.net), words.money(document.vat), document.number))
    whole = "".join(texts)
    assert whole.count(words.money(bases()[0].amount)) == whole.count("EAN 859182400941700026") == 5
    assert not any("�" in text for text in texts)
    ppi = ppi_of(payment)
    pages = [dark(page) for page in render_pages(document, ppi)]
    assert len(pages) == len(texts)
    for number, page in enumerate(pages):
        assert 0.01 < page.mean() < 0.2, f"page {number + 1} is nearly blank or black"
        (rows, columns), per_mm = page.nonzero(), ppi / 25.4
        assert columns.min() / per_mm > 17
        assert columns.max() / per_mm < 210 - 17
        assert 10 < rows.min() / per_mm < 297 / 4
        assert 297 - 12 < rows.max() / per_mm < 297 - 5  # the foot
    assert holds_qr(pages[0], payment) == pytest.approx(1)
    assert holds_qr(pages[1], payment) < 0.8


def test_a_short_document_has_one_page() -> None:
    assert len(render_pages(worked(), ppi=20)) == 1


KEPT = ("regular", "annual", "regular", "collective")


def test_what_typst_keeps_from_one_document_is_not_seen_in_another() -> None:
    documents = [replace(worked(), number=f"26000000{number}0", kind=kind) for number, kind in enumerate(KEPT)]
    alone = []
    for document in documents:
        with ThreadPoolExecutor(1) as fresh:  # a compiler belongs to a thread
            alone.append(fresh.submit(render_pdf, document, write_isdoc(document)).result())
    assert [render_pdf(document, write_isdoc(document)) for document in documents] == alone
    with ThreadPoolExecutor(3) as together:
        assert list(together.map(lambda each: render_pdf(each, write_isdoc(each)), documents)) == alone
    assert len(set(alone)) == len(documents)
