"""Number series: numbers without holes, drawn under the lock of the series' row, out of a range that has an end."""

from sqlalchemy import Connection, Row, insert, select, text, update

from central.platform.errors import BadInput, NotFound, Refused
from central.registry.party_tables import number_series
from shared.identifiers import IdentifierError, make_ean18, make_eic

LENGTHS = {"ean18": 17, "eic": 15}
"""Characters before the check digit, by purpose."""

_EIC_CHARACTERS = frozenset("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ-")

TAKEN = {
    "ean18": text("SELECT EXISTS (SELECT FROM supply_point WHERE ean = :number)"),
    "eic": text("SELECT EXISTS (SELECT FROM supply_point WHERE ean = :number)"),
    "contract": text("SELECT EXISTS (SELECT FROM contract WHERE number = :number)"),
    "contract_account": text("SELECT EXISTS (SELECT FROM contract_account WHERE number = :number)"),
}
"""Numbers that were entered by hand are passed over."""


def create_series(
    connection: Connection, code: str, purpose: str, prefix: str, digits: int, first: int, last: int
) -> None:
    """Create a series of `prefix` + a number of `digits` digits from `first` to `last` (+ check digit)."""
    wanted = LENGTHS.get(purpose)
    if wanted is not None and len(prefix) + digits != wanted:
        raise BadInput(
            "series",
            f"The series {code} makes {len(prefix)} + {digits} characters; {purpose} needs {wanted} before the check "
            "digit.",
        )
    if purpose == "ean18" and not (prefix.isascii() and prefix.isdigit()):
        raise BadInput("series", f"The series {code} has the prefix {prefix!r}; an EAN has digits only.")
    if not first <= last < 10**digits:
        raise BadInput("series", f"The series {code} goes from {first} to {last}; {digits} digits cannot hold that.")
    if purpose == "eic" and not set(prefix) <= _EIC_CHARACTERS:
        raise BadInput("series", f"The series {code} has the prefix {prefix!r}; an EIC has 0-9, A-Z and '-' only.")
    values = {"code": code, "purpose": purpose, "prefix": prefix, "digits": digits}
    connection.execute(insert(number_series).values(**values, first_number=first, last_number=last, next_number=first))


def draw(connection: Connection, code: str, purposes: tuple[str, ...]) -> str:
    """The next number of a series, for good when the caller's transaction commits.

    Who draws at the same time waits; a rollback gives the number back, so there are no holes. Passed over are numbers
    that were entered by hand and EICs whose check character would be `-`.
    """
    series = connection.execute(select(number_series).where(number_series.c.code == code).with_for_update()).first()
    if series is None:
        raise NotFound("series_not_found", f"There is no number series {code}; create it first or correct it.")
    if series.purpose not in purposes:
        raise BadInput("series", f"The series {code} is for {series.purpose}, not for {' or '.join(purposes)}.")
    number, drawn = _next_free(connection, series)
    connection.execute(update(number_series).where(number_series.c.id == series.id).values(next_number=number + 1))
    return drawn


def _next_free(connection: Connection, series: Row[tuple[object, ...]]) -> tuple[int, str]:
    for number in range(series.next_number, series.last_number + 1):
        spelled = _spelled(series.purpose, series.prefix, series.digits, number)
        taken = TAKEN.get(series.purpose)
        if spelled and not (taken is not None and connection.execute(taken, {"number": spelled}).scalar_one()):
            return number, spelled
    raise Refused(
        "series_exhausted",
        f"The number series {series.code} is exhausted: its last number is {series.last_number}. Create a series with "
        "a new range.",
    )


def _spelled(purpose: str, prefix: str, digits: int, number: int) -> str | None:
    bare = f"{prefix}{number:0{digits}d}"
    if purpose == "ean18":
        return make_ean18(bare)
    if purpose == "eic":
        try:
            return make_eic(bare)
        except IdentifierError:
            return None
    return bare
