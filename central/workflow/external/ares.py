"""Companies by their number (IČO) from the register of economic subjects (ARES), as proposals for parties.

Inferred from public clients of its interface: GET .../ekonomicke-subjekty/<8 digits> gives JSON with the fields below;
an unknown number status 404 with the code NENALEZENO. Series `ares.company`, key the IČO. Nothing of a party is changed
by it: a person looks and decides.
"""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Annotated, Any, Final

import msgspec
from sqlalchemy import Connection

from central.platform.external.values import Counts, Value, newest_value, store_values
from central.registry.form import is_ico
from central.workflow.external.adapter import STORABLE, Adapter, Origin, Part, UnreadableError

ADDRESS: Final = "https://ares.gov.cz/ekonomicke-subjekty-v-be/rest/ekonomicke-subjekty"
SERIES: Final = "ares.company"
MOST_ASKED: Final = 50
LARGEST: Final = 500_000
ABSENT: Final = 404
COMPARED: Final = ("name", "dic", "street", "city", "postal_code", "country")
"""Facts of a party that the register knows too."""

Text = Annotated[str, msgspec.Meta(max_length=500, pattern=STORABLE)]


class Settings(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """There is nothing to set."""


class Companies(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """The numbers that a run asks for."""

    ico: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        wrong = next((each for each in self.ico if not is_ico(each)), None)
        if wrong is not None or len(self.ico) > MOST_ASKED:
            raise ValueError(f"ico must be up to {MOST_ASKED} numbers of 8 digits, the last a check digit")


class _Seat(msgspec.Struct, frozen=True):
    country: Text | None = msgspec.field(default=None, name="kodStatu")
    place: Text | None = msgspec.field(default=None, name="nazevObce")
    place_part: Text | None = msgspec.field(default=None, name="nazevCastiObce")
    street: Text | None = msgspec.field(default=None, name="nazevUlice")
    number: int | None = msgspec.field(default=None, name="cisloDomovni")
    orientation: int | None = msgspec.field(default=None, name="cisloOrientacni")
    orientation_letter: Text | None = msgspec.field(default=None, name="cisloOrientacniPismeno")
    postal_code: int | Text | None = msgspec.field(default=None, name="psc")
    text: Text | None = msgspec.field(default=None, name="textovaAdresa")


class _Company(msgspec.Struct, frozen=True):
    ico: Text | None = None
    name: Text | None = msgspec.field(default=None, name="obchodniJmeno")
    dic: Text | None = None
    seat: _Seat = msgspec.field(default=_Seat(), name="sidlo")
    founded_on: date | None = msgspec.field(default=None, name="datumVzniku")
    dissolved_on: date | None = msgspec.field(default=None, name="datumZaniku")
    code: Text | None = msgspec.field(default=None, name="kod")
    """Of an answer that is no company."""


def parts(_: Settings, companies: Companies, __: date) -> Sequence[Part]:
    """A question for each number; that there is no such company is an answer too."""
    headers = {"Accept": "application/json"}
    accepts = frozenset({200, ABSENT})
    return [Part(ico, append=f"/{ico}", headers=headers, accepts=accepts) for ico in dict.fromkeys(companies.ico)]


def read(octets: bytes, _: Settings) -> Sequence[Mapping[str, Any]]:
    """The facts of one company under our names; {"found": False} for a number that the register does not have."""
    if len(octets) > LARGEST:
        raise UnreadableError(f"The answer has {len(octets)} octets, far more than one company.")
    try:
        company = msgspec.json.decode(octets, type=_Company)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise UnreadableError(f"The answer is not a company of the register: {error}.") from None
    if company.code is not None and company.ico is None:
        if company.code != "NENALEZENO":
            raise UnreadableError(f"The register answers with {company.code[:60]}.")
        return [{"found": False}]
    if not company.ico or not is_ico(company.ico) or not company.name:
        raise UnreadableError("The answer has no number or no name of a company.")
    seat = company.seat
    facts = {
        "found": True,
        "ico": company.ico,
        "name": company.name,
        "dic": company.dic,
        "street": _street(seat),
        "city": seat.place,
        "postal_code": _postal_code(seat.postal_code),
        "country": seat.country,
        "address": seat.text,
        "founded_on": company.founded_on,
        "dissolved_on": company.dissolved_on,
    }
    return [{name: value for name, value in facts.items() if value is not None}]


def _street(seat: _Seat) -> str | None:
    """Street, or the part of a place that has no streets, with the numbers: "Dlouhá 12/3a"."""
    street = seat.street or seat.place_part or seat.place
    if street is None or seat.number is None:
        return street
    orientation = "" if seat.orientation is None else f"/{seat.orientation}{seat.orientation_letter or ''}"
    return f"{street} {seat.number}{orientation}"


def _postal_code(given: int | str | None) -> str | None:
    """Five digits as they are written: 602 00; others as given."""
    digits = f"{given:05}" if isinstance(given, int) else (given or "").replace(" ", "")
    return f"{digits[:3]} {digits[3:]}" if len(digits) == 5 and digits.isdigit() else (digits or None)


def keep(connection: Connection, companies: Sequence[Mapping[str, Any]], _: Settings, origin: Origin) -> Counts:
    """Store the facts under the number that was asked for, which an answer without a company does not repeat.

    UnreadableError for the facts of another company, and where a file that finds none is not named by a number.
    """
    asked = origin.address.rpartition("/")[2].removesuffix(".json")
    for company in companies:
        answered = company.get("ico")
        if is_ico(asked) and answered not in (None, asked):
            raise UnreadableError(f"The register was asked for {asked} and answers with {answered}; it is not stored.")
        if answered is None and not is_ico(asked):
            raise UnreadableError(f"The register found no company, and {asked[:60]!r} does not say whom it looked for.")
    values = [Value(SERIES, company.get("ico") or asked, company) for company in companies]
    return store_values(connection, values, origin.fetch, origin.at)


def proposal(connection: Connection, party: Mapping[Any, Any]) -> Mapping[str, Any] | None:
    """What the register says of a party by its IČO, and where that differs; None where it was not asked yet.

    Texts are compared without regard to spaces, case, and a missing country.
    """
    stored = None if party["ico"] is None else newest_value(connection, SERIES, party["ico"])
    if stored is None:
        return None
    facts: Mapping[str, Any] = stored["content"]
    differs = {
        name: {"present": party[name], "proposed": facts[name]}
        for name in COMPARED
        if name in facts and _folded(party[name]) != _folded(facts[name])
    }
    return {
        "found": facts["found"],
        "dissolved_on": facts.get("dissolved_on"),
        "differs": differs,
        "address": stored["address"],
        "fetched_at": stored["fetched_at"],
    }


def _folded(text: str | None) -> str:
    return "".join((text or "").split()).casefold()


ADAPTER: Final = Adapter(
    name="ares",
    title="Companies by IČO from the register of economic subjects (ARES)",
    mark="inferred",
    addresses=(ADDRESS,),
    settings=Settings,
    parameters=Companies,
    parts=parts,
    read=read,
    store=keep,
)
