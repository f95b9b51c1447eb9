"""Order of estimation that ships: what stands in for annex 5 of decree 359/2020, whose text is not public in a form
that could be read. All of it is marked assumed."""

from typing import Any

DECREE = {
    "decree-359-2020": {
        "title": "Vyhláška č. 359/2020 Sb., o měření elektřiny",
        "note": "příloha 5 (náhradní hodnoty u měření typu C1 až C3): text nebyl k dispozici, pořadí je předpoklad",
    }
}

_CHECK: dict[str, Any] = {"method": "check_meter", "quality": "substitute"}
_BALANCE: dict[str, Any] = {"method": "node_balance", "quality": "substitute"}
_MANUAL: dict[str, Any] = {"method": "manual"}
_WEEK = 7 * 24 * 60
_MONTH = 31 * 24 * 60


def _linear(minutes: int) -> dict[str, Any]:
    return {"method": "linear", "longest_gap_minutes": minutes}


def _like_day() -> dict[str, Any]:
    return {"method": "like_day", "longest_gap_minutes": _WEEK, "days_back": 30, "days": 3}


def _load_profile() -> dict[str, Any]:
    return {"method": "load_profile", "longest_gap_minutes": _MONTH, "days_back": 30}


def _order(
    commodity: str,
    metering_types: list[str],
    classes: list[str],
    steps: list[dict[str, Any]],
    source: str,
    note: str,
) -> dict[str, Any]:
    return {
        "commodity": commodity,
        "metering_types": metering_types,
        "classes": classes,
        "steps": steps,
        "most_estimated_days": 10,
        "within_days": 31,
        "scale_to_states": True,
        "source": source,
        "mark": "assumed",
        "note": note,
    }


ELECTRICITY_ESTIMATION = [
    _order(
        "electricity",
        ["C1", "C2", "C3"],
        ["active", "reactive"],
        [
            {"method": "reread", "wait_hours": 24},
            _CHECK,
            _BALANCE,
            _linear(120),
            _like_day(),
            _load_profile(),
            _MANUAL,
        ],
        "decree-359-2020",
        "The decree sets the order for these types; this one is the product's until its text is entered.",
    ),
    _order(
        "electricity",
        [],
        ["active", "reactive"],
        [{"method": "reread"}, _CHECK, _BALANCE, _linear(120), _like_day(), _load_profile(), _MANUAL],
        "product",
        "Data of types A and B are reported daily: the meter is asked again, and the estimate does not wait for it.",
    ),
]

GAS_ESTIMATION = [
    _order(
        "gas",
        [],
        ["volume"],
        [{"method": "reread"}, _CHECK, _BALANCE, _linear(180), _like_day(), _load_profile(), _MANUAL],
        "product",
        "",
    ),
]
