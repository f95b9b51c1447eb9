"""How the files of a source are read: what is saved, in versions, and checked before it is used."""

from fnmatch import fnmatchcase
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, TypeAdapter, ValidationError, model_validator

from central.network.channels import EXPONENTS
from central.platform.errors import BadInput, DomainError
from central.readings.transfer.series import SeriesFacts
from central.readings.transfer.stamps import pattern_of, zone_of
from shared.quantities import Flag, Kind

Name = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=r"^[^\x00]*$")]
QualityName = Literal["measured", "provisional", "substitute", "missing"]
ENCODINGS: Final = ("utf-8", "windows-1250", "iso-8859-2", "iso-8859-1", "ascii", "utf-16", "cp852")

FLAGS: Final[dict[str, int]] = {
    "measured": 0,
    "provisional": int(Flag.DATA_INVALID),
    "substitute": int(Flag.SUBSTITUTED),
}
"""What another system says of a value, in the flags of the wire; a missing value is none at all."""


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class SeriesRule(_Body):
    """What holds for the series whose key matches `match` (* and ? stand for any text); the first that does is used."""

    match: Name
    unit: Name | None = None
    exponent: Annotated[int, Field(ge=EXPONENTS[0], le=EXPONENTS[1])] | None = None
    kind: Literal["interval", "state"] | None = None
    step_s: Annotated[int, Field(ge=1, le=3_600)] | None = None
    sign: Literal[1, -1] = 1


class _Values(_Body):
    """What the values of a file are. `unit` x 10^`exponent`: kWh is unit Wh, exponent 3."""

    unit: Name | None = None
    exponent: Annotated[int, Field(ge=EXPONENTS[0], le=EXPONENTS[1])] = 0
    kind: Literal["interval", "state"] = "interval"
    step_s: Annotated[int, Field(ge=1, le=3_600)] = 900
    rules: Annotated[list[SeriesRule], Field(max_length=500)] = []

    def facts(self, key: str) -> SeriesFacts:
        """What holds for one series."""
        rule = next((each for each in self.rules if fnmatchcase(key, each.match)), None) or SeriesRule(match="*")
        kind = Kind(rule.kind or self.kind)
        step_s = rule.step_s or self.step_s
        return SeriesFacts(
            kind,
            step_s * 1000 if kind is Kind.INTERVAL else 0,
            rule.unit or self.unit,
            self.exponent if rule.exponent is None else rule.exponent,
            rule.sign,
        )


class TimeRule(_Body):
    """Where the stamp stands and what it means. Several columns (date, time) are joined by a space.

    `format` is `iso` (2026-03-01T00:15, with or without an offset) or made of %d %m %Y %y %H %M %S. A stamp without
    an offset is local time of `zone`; on the day of the autumn change the repeated hour is told by the order of lines
    (`order`), is always the first or the second one, or is refused.
    """

    columns: Annotated[list[Name], Field(min_length=1, max_length=3)]
    format: Name = "iso"
    zone: Name = "Europe/Prague"
    stamps: Literal["start", "end"] = "start"
    repeated_hour: Literal["order", "first", "second", "refuse"] = "order"

    @model_validator(mode="after")
    def _usable(self) -> "TimeRule":
        _as_fault(zone_of, self.zone)
        if self.format != "iso":
            _as_fault(pattern_of, self.format)
        return self


class TableMapping(_Values):
    """A table: CSV or a sheet of a workbook (XLSX). Columns are named by the header, or by number from 1 without one.

    `wide`: a column is a series, its name is the key; all columns but the time's, the qualities' and the ignored ones.
    `long`: a row is a value; the texts of the columns `key`, joined by `/`, are the key.
    """

    format: Literal["csv", "xlsx"]
    layout: Literal["wide", "long"]
    time: TimeRule
    delimiter: Annotated[str, StringConstraints(min_length=1, max_length=1)] = ";"
    encoding: Literal["utf-8", "windows-1250", "iso-8859-2", "iso-8859-1", "ascii", "utf-16", "cp852"] = "utf-8"
    decimal_sign: Literal[".", ","] = ","
    thousands: Annotated[str, StringConstraints(max_length=1)] = ""
    header_row: Annotated[int, Field(ge=1, le=1_000)] | None = 1
    first_row: Annotated[int, Field(ge=1, le=1_001)] | None = None
    """The first row of values; default the one after the header."""
    sheet: Name | None = None
    ignore: Annotated[list[Name], Field(max_length=1_000)] = []
    """Columns that are no series; * and ? stand for any text."""
    key: Annotated[list[Name], Field(max_length=5)] = []
    value: Name | None = None
    quality: Name | None = None
    """long: the column of qualities; wide: what the name of a series' column of qualities has after the key."""
    qualities: Annotated[dict[str, QualityName], Field(max_length=200)] = {}
    missing: Annotated[list[str], Field(max_length=20)] = [""]
    """Texts in the place of a value that say that there is none."""

    @model_validator(mode="after")
    def _fits(self) -> "TableMapping":
        if self.layout == "long" and (not self.key or self.value is None):
            raise ValueError("a long table needs `key` and `value`, the columns of the series and of its value")
        if self.layout == "wide" and (self.key or self.value is not None):
            raise ValueError("a wide table has a column per series: leave out `key` and `value`")
        if self.quality is not None and not self.qualities:
            raise ValueError("with `quality`, `qualities` must say what each text of it means")
        if self.thousands in ("+", "-", self.decimal_sign) or self.thousands.isdigit():
            raise ValueError("`thousands` must be a sign that no number has otherwise")
        if self.delimiter in '"\r\n\0' or self.delimiter == "\ufeff":
            raise ValueError("`delimiter` must not be a quotation mark or the end of a line")
        if self.first_row is not None and self.header_row is not None and self.first_row <= self.header_row:
            raise ValueError("`first_row` must come after `header_row`")
        return self


class EdcMapping(_Body):
    """CSV of the portal of EDC, both layouts; everything about it is fixed."""

    format: Literal["edc"]


class CdsdataMapping(_Body):
    """CDSDATA (XML) of the market operator; everything about it is fixed."""

    format: Literal["cdsdata"]


class MsconsMapping(_Values):
    """EDIFACT like MSCONS. `zone` is that of stamps without one; the key is LOC, or LOC/PIA with an OBIS code."""

    format: Literal["mscons"]
    zone: Name = "UTC"
    exponent: Annotated[int, Field(ge=EXPONENTS[0], le=EXPONENTS[1])] = 3
    qualities: Annotated[dict[str, QualityName], Field(max_length=200)] = {
        "220": "measured",
        "67": "substitute",
        "Z18": "provisional",
    }

    @model_validator(mode="after")
    def _usable(self) -> "MsconsMapping":
        _as_fault(zone_of, self.zone)
        return self


Mapping = Annotated[TableMapping | EdcMapping | CdsdataMapping | MsconsMapping, Field(discriminator="format")]
_ADAPTER: Final[TypeAdapter[Any]] = TypeAdapter(Mapping)
AnyMapping = TableMapping | EdcMapping | CdsdataMapping | MsconsMapping


def mapping_of(body: object) -> AnyMapping:
    """The mapping of a stored or given document; BadInput says what does not fit."""
    try:
        result: AnyMapping = _ADAPTER.validate_python(body)
    except ValidationError as error:
        faults = [f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors()]
        raise BadInput("mapping", f"The mapping cannot be used: {'; '.join(faults[:5])}.") from None
    return result


def _as_fault(check: Any, value: str) -> None:
    try:
        check(value)
    except DomainError as error:
        raise ValueError(error.message) from None
