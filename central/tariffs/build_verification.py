"""How long verifications hold, by kind of instrument (decree 345/2002), with how sure each number is."""

from typing import Any

VERIFICATION_SOURCE = {
    "decree-345-2002": {
        "title": "Vyhláška č. 345/2002 Sb., kterou se stanoví měřidla k povinnému ověřování",
        "note": "ve znění č. 285/2011 Sb.; novela č. 127/2024 Sb. mohla čísla změnit a nebyla viděna",
    }
}


def _period(
    kind: str, name: str, years: int | None, mark: str, extension_years: int | None = None, note: str = ""
) -> dict[str, Any]:
    return {
        "kind": kind,
        "name": name,
        "years": years,
        "extension_years": extension_years,
        "to_year_end": True,
        "source": "decree-345-2002",
        "mark": mark,
        "note": note or "The time is counted from the end of the year of verification: assumed.",
    }


ELECTRICITY_VERIFICATION = [
    _period("induction_direct", "indukční elektroměr, přímé měření", 16, "documented", 4),
    _period("static_direct", "statický elektroměr, přímé měření", 12, "documented", 4, "Length of extension: assumed."),
    _period("induction_transformer", "indukční elektroměr za měřicími transformátory", 5, "assumed"),
    _period("static_transformer", "statický elektroměr za měřicími transformátory", 10, "assumed"),
    _period("instrument_transformer", "měřicí transformátor proudu nebo napětí", None, "assumed"),
]

GAS_VERIFICATION = [
    _period("membrane_small", "membránový plynoměr do G6 včetně", 10, "assumed"),
    _period("membrane_large", "membránový plynoměr nad G6", 5, "assumed"),
    _period("rotary", "rotační plynoměr", 5, "assumed"),
    _period("turbine", "turbínový plynoměr", 5, "assumed"),
    _period("converter_compact", "přepočítávač množství plynu, kompaktní", 5, "documented"),
    _period("converter_unit", "přepočítávač množství plynu, jednotka", 5, "documented"),
    _period("temperature_sensor", "snímač teploty přepočítávače", 4, "documented"),
    _period("pressure_sensor", "snímač tlaku přepočítávače", 2, "documented", None, "With a yearly shortened test."),
]
