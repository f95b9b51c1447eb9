"""Protocol of an act on a meter as PDF: what is printed, laid out by templates/meter_act.typ."""

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from central.documents import pdf
from shared.metering_day import PRAGUE

TEMPLATE = Path(__file__).parent / "templates" / "meter_act.typ"
TITLES: Final = {
    "mounting": "Protokol o montáži měřidla",
    "removal": "Protokol o demontáži měřidla",
    "exchange": "Protokol o výměně měřidla",
}
HEADINGS: Final = {"removed": "Demontované měřidlo", "mounted": "Namontované měřidlo"}
TARIFFS: Final = {"VT": "vysoký tarif", "NT": "nízký tarif", "JT": "jednotarif"}


def protocol(act: Mapping[str, Any], place: Mapping[str, Any], meters: Mapping[str, Mapping[str, Any]]) -> bytes:
    """The protocol; `meters` are the removed and the mounted one, as registered. The same act gives the same bytes."""
    return pdf.render_pdf(TEMPLATE, printed(act, place, meters), act["made_at"])


def printed(
    act: Mapping[str, Any], place: Mapping[str, Any], meters: Mapping[str, Mapping[str, Any]]
) -> dict[str, Any]:
    """What the protocol shows, as texts."""
    ratio = act["facts"]["ratio"]
    facts = [
        ("Měřicí místo", place["name"]),
        ("Umístění", place["place"] or "neuvedeno"),
        ("Okamžik", _local(act["at"])),
        ("Důvod", act["reason"]),
        ("Převod měřicích transformátorů", "přímé měření" if ratio == 1 else f"{ratio}×"),
        ("Zapsal", f"{act['made_by']}, {_local(act['made_at'])}"),
    ]
    parts = [
        _meter(HEADINGS[side], act["facts"][side], meters[side], "fed" if side == "removed" else "feeds")
        for side in ("removed", "mounted")
        if side in meters
    ]
    return {"title": TITLES[act["kind"]], "number": str(act["id"]), "facts": facts, "meters": parts}


def _meter(heading: str, part: Mapping[str, Any], meter: Mapping[str, Any], fed: str) -> dict[str, Any]:
    directions = {each["register"]: each["direction"] for each in part[fed]}
    states = [
        {
            "register": each["register"],
            "tariff": TARIFFS.get(directions.get(each["register"], ""), directions.get(each["register"], "")),
            "value": f"{each['value']:,}".replace(",", "\N{NO-BREAK SPACE}"),
        }
        for each in part["states"]
    ]
    facts = [("Označení", part["meter"]), ("Výrobní číslo", meter["serial"]), ("Typ", meter["model"])]
    attached = part.get("attachment")
    if attached:
        facts.append(("Koncentrátor, sběrnice", f"{attached['concentrator']}, {attached['bus']}"))
    return {"heading": heading, "facts": facts, "states": states, "seals": part["seals"]}


def _local(at: datetime) -> str:
    local = at.astimezone(PRAGUE)
    return f"{local.day}. {local.month}. {local.year} {local:%H:%M}"
