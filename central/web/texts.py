"""Words of the pages, Czech and English."""

from collections.abc import Mapping
from datetime import date
from types import MappingProxyType, SimpleNamespace
from typing import Final

LANGUAGES: Final = ("cs", "en")

_TEXTS: Final[Mapping[str, tuple[str, str]]] = MappingProxyType(
    {
        "title": ("Práce v terénu", "Field work"),
        "sign_in": ("Přihlásit", "Sign in"),
        "sign_out": ("Odhlásit", "Sign out"),
        "token": ("Přístupový kód", "Access token"),
        "my_orders": ("Moje příkazy", "My work orders"),
        "all_orders": ("Příkazy na cestě", "Work orders on the way"),
        "nothing": ("Dnes tu není žádná práce.", "There is no work here today."),
        "late": ("po termínu", "overdue"),
        "due": ("Termín", "Due"),
        "place": ("Místo", "Place"),
        "meter": ("Měřidlo", "Meter"),
        "instructions": ("Pokyny", "Instructions"),
        "begin": ("Jsem na místě", "I am here"),
        "states": ("Stavy", "Readings"),
        "last": ("naposledy", "last"),
        "photos": ("Fotografie", "Photos"),
        "signature": ("Podpis odběratele", "Customer's signature"),
        "clear": ("Smazat podpis", "Clear"),
        "result": ("Výsledek", "Result"),
        "done": ("Hotovo", "Done"),
        "failed": ("Nešlo provést", "Could not be done"),
        "back": ("Zpět", "Back"),
        "assignee": ("Technik", "Technician"),
        "other": ("English", "Česky"),
        "finished": ("Ukončeno", "Finished"),
        "state_proposed": ("navrženo", "proposed"),
        "state_planned": ("naplánováno", "planned"),
        "state_assigned": ("přiděleno", "assigned"),
        "state_under_way": ("probíhá", "under way"),
        "state_done": ("hotovo", "done"),
        "state_failed": ("neprovedeno", "failed"),
        "state_cancelled": ("zrušeno", "cancelled"),
    }
)


def words(language: str) -> SimpleNamespace:
    """All words in a language, by name: not a mapping, whose own methods a template would find first."""
    place = LANGUAGES.index(language)
    return SimpleNamespace(**{name: both[place] for name, both in _TEXTS.items()})


def written_day(day: date, language: str) -> str:
    """A day as people of the language write it."""
    return f"{day.day}. {day.month}. {day.year}" if language == "cs" else day.isoformat()


def language_of(asked: str | None, accepts: str | None) -> str:
    """The language that was chosen, or the first of ours that the browser accepts; Czech otherwise."""
    if asked in LANGUAGES:
        return str(asked)
    for part in (accepts or "").split(","):
        name = part.split(";")[0].strip().lower()[:2]
        if name in LANGUAGES:
            return name
    return LANGUAGES[0]
