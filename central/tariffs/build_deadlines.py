"""Deadlines and series of the shipped packages. Most deadlines were not read in a source: they are marked assumed."""

from typing import Any

DEADLINE_SOURCES: dict[str, dict[str, str]] = {
    "decree-207-2021": {
        "title": "Vyhláška č. 207/2021 Sb., o vyúčtování dodávek a souvisejících služeb v energetických odvětvích",
        "note": "obsah § 1 až 3 a § 18a; lhůty v dnech nebyly v dostupném opisu čitelné",
    },
    "decree-375-2023": {
        "title": "Vyhláška č. 375/2023 Sb., kterou se mění vyhláška č. 359/2020 Sb.",
        "note": "§ 7 odst. 4: náprava vadného měření nejvýše 36 měsíců zpět",
    },
}


def _deadline(
    name: str, count: int, unit: str, since: str, cs: str, en: str, source: str, mark: str, note: str = ""
) -> dict[str, Any]:
    return {
        "name": name,
        "count": count,
        "unit": unit,
        "since": since,
        "text": {"cs": cs, "en": en},
        "source": source,
        "mark": mark,
        "note": note,
    }


COMMON: list[dict[str, Any]] = [
    _deadline(
        "billing",
        15,
        "day",
        "end_of_period",
        "Vyúčtování do 15 dnů od konce období nebo od převzetí údajů",
        "A bill within 15 days after the end of the period or of receiving the data",
        "decree-207-2021",
        "assumed",
    ),
    _deadline(
        "complaint_answer",
        15,
        "day",
        "complaint",
        "Odpověď na reklamaci vyúčtování do 15 dnů",
        "An answer to a complaint of a bill within 15 days",
        "product",
        "assumed",
    ),
    _deadline(
        "first_reminder",
        7,
        "day",
        "due_date",
        "První upomínka 7 dnů po splatnosti",
        "The first reminder 7 days after the due date",
        "product",
        "assumed",
    ),
    _deadline(
        "second_reminder",
        21,
        "day",
        "due_date",
        "Druhá upomínka 21 dnů po splatnosti",
        "The second reminder 21 days after the due date",
        "product",
        "assumed",
    ),
]

ELECTRICITY: list[dict[str, Any]] = [
    *COMMON,
    _deadline(
        "correction_window",
        36,
        "month",
        "detection",
        "Oprava vyúčtování při vadném měření nejvýše 36 měsíců zpět",
        "Bills are corrected for faulty metering at most 36 months back",
        "decree-375-2023",
        "documented",
    ),
    _deadline(
        "connection_answer_low_voltage",
        30,
        "day",
        "application",
        "Odpověď na žádost o připojení na NN do 30 dnů",
        "An answer to an application for connection at low voltage within 30 days",
        "product",
        "assumed",
    ),
    _deadline(
        "connection_answer_high_voltage",
        60,
        "day",
        "application",
        "Odpověď na žádost o připojení na VN a VVN do 60 dnů",
        "An answer to an application for connection above low voltage within 60 days",
        "product",
        "assumed",
    ),
]

GAS: list[dict[str, Any]] = COMMON


def reserved_capacity(source: str, mark: str = "documented") -> list[dict[str, Any]]:
    """Deadlines of ordering and lowering reserved capacity (points 4.18 to 4.21 of the decisions up to 2026)."""
    return [
        _deadline(
            "monthly_capacity_order",
            -1,
            "working_day",
            "start_of_month",
            "Měsíční rezervovaná kapacita se sjedná do posledního pracovního dne předchozího měsíce",
            "Monthly reserved capacity is agreed by the last working day of the month before",
            source,
            mark,
        ),
        _deadline(
            "monthly_capacity_order_by_supplier",
            -2,
            "working_day",
            "start_of_month",
            "Prostřednictvím obchodníka do předposledního pracovního dne předchozího měsíce",
            "Through a supplier by the last working day but one of the month before",
            source,
            mark,
        ),
        _deadline(
            "yearly_capacity_decrease",
            12,
            "month",
            "last_change",
            "Snížení roční rezervované kapacity nejdříve 12 měsíců po poslední změně",
            "Yearly reserved capacity is lowered at the earliest 12 months after its last change",
            source,
            mark,
        ),
    ]


LOAD_PROFILES: list[dict[str, Any]] = [
    {
        "name": str(number),
        "kind": "load_profile_class",
        "reference": "OTE, a.s.: normalizované a přepočtené typové diagramy dodávky, import jako hodnoty třídy",
        "source": "decree-541-2005",
        "mark": "documented",
        "note": "The values are published for each year and are imported, not shipped.",
    }
    for number in range(1, 9)
]

GAS_SERIES_SOURCE: dict[str, dict[str, str]] = {
    "decree-524-2006": {
        "title": "Vyhláška č. 524/2006 Sb., příloha č. 11",
        "note": "historické rozdělení roční spotřeby nad 9 450 kWh na měsíce; dnes se používají TDD",
    }
}
GAS_SERIES: list[dict[str, Any]] = [
    {
        "name": "gas-524-2006",
        "kind": "monthly_shares",
        "reference": "Vyhláška č. 524/2006 Sb., příloha č. 11",
        "months": [
            "16.72", "14.29", "11.02", "7.94", "3.84", "1.83", "1.62", "1.62", "5.86", "6.83", "10.50", "17.93",
        ],
        "source": "decree-524-2006",
        "mark": "documented",
        "note": "Historic: of use where no daily data and no load-profile class are there.",
    }
]  # fmt: skip
