"""How the columns of a file are fields: what is saved, in versions, and checked before it is used."""

from datetime import date
from functools import cached_property
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator

from central.platform.errors import BadInput
from central.workflow.registry_import.fields import FIELDS, Writing

Text = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=r"^[^\x00]*$")]
Content = Literal["parties", "supply_points", "meters"]

SECTIONS: Final[dict[str, tuple[str, ...]]] = {
    "parties": ("party",),
    "supply_points": ("party", "supply_point", "contract", "item"),
    "meters": ("supply_point", "concentrator", "bus", "board", "measuring_point", "meter"),
}
"""What the rows of a file may bring, by its content. A file of meters only names supply points."""

KEYS: Final = {
    "party": "party.code",
    "supply_point": "supply_point.ean",
    "contract": "contract.number",
    "concentrator": "concentrator.id",
    "bus": "bus.name",
    "board": "board.name",
    "measuring_point": "measuring_point.name",
    "meter": "meter.id",
}
"""The field by which a thing is known."""


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ColumnRule(_Body):
    """The column of a field; `codes` are texts of the file and what they stand for."""

    column: Text
    codes: Annotated[dict[Text, Text], Field(max_length=200)] = {}


class RegistryMapping(_Body):
    """A table of customers, supply points or meters: columns by field, values that all rows have (`constants`)."""

    content: Content
    format: Literal["csv", "xlsx"] = "csv"
    delimiter: Annotated[str, StringConstraints(min_length=1, max_length=1, pattern=r'^[^"\r\n\x00]$')] = ";"
    encoding: Literal["utf-8", "windows-1250", "iso-8859-2", "cp852"] = "utf-8"
    sheet: Text | None = None
    header_row: Annotated[int, Field(ge=1, le=100)] = 1
    decimal_sign: Literal[".", ","] = ","
    date_format: Annotated[str, StringConstraints(min_length=6, max_length=20)] = "%d.%m.%Y"
    columns: Annotated[dict[str, ColumnRule], Field(min_length=1, max_length=200)]
    constants: Annotated[dict[str, Text], Field(max_length=100)] = {}

    @model_validator(mode="after")
    def _fits(self) -> "RegistryMapping":
        known = [name for name, field in FIELDS.items() if field.section in SECTIONS[self.content]]
        for name in (*self.columns, *self.constants):
            if name not in known:
                raise ValueError(f"a file of {self.content} has no field {name!r}; it may have {', '.join(known)}")
        for name in self.columns.keys() & self.constants.keys():
            raise ValueError(f"the field {name} has both a column and a constant; leave out one")
        given = {FIELDS[name].section for name in (*self.columns, *self.constants)}
        for section in given & KEYS.keys():
            if KEYS[section] not in self.columns and KEYS[section] not in self.constants:
                raise ValueError(f"with fields of {section}, {KEYS[section]} must have a column")
        if "item" in given and not {"contract.number", "supply_point.ean"} <= self.columns.keys():
            raise ValueError("with fields of item, contract.number and supply_point.ean must have columns")
        if not any(form in self.date_format for form in ("%Y", "%y")) or " " in self.date_format:
            raise ValueError("`date_format` must be made of %d, %m and %Y without spaces")
        try:
            f"{date(2026, 3, 31):{self.date_format}}".encode()
        except ValueError as error:
            raise ValueError(f"`date_format` cannot be used: {error}") from None
        return self

    @cached_property
    def writing(self) -> Writing:
        """How numbers and days are written."""
        return Writing(self.decimal_sign, self.date_format)


def mapping_of(body: object) -> RegistryMapping:
    """The mapping of a stored or given document; BadInput says what does not fit."""
    try:
        return RegistryMapping.model_validate(body)
    except ValidationError as error:
        faults = [f"{'.'.join(map(str, fault['loc'])) or 'mapping'}: {fault['msg']}" for fault in error.errors()]
        raise BadInput("mapping", f"The mapping cannot be used: {'; '.join(faults[:5])}.") from None


_COMMODITIES: Final = {"elektřina": "electricity", "plyn": "gas"}
_PARTY: Final[dict[str, Any]] = {
    "party.code": "kód zákazníka",
    "party.name": "název",
    "party.roles": "role",
    "party.street": "ulice",
    "party.city": "obec",
    "party.postal_code": "PSČ",
    "party.country": "stát",
    "party.ico": "IČO",
    "party.dic": "DIČ",
    "party.ean13": "EAN účastníka",
    "party.iban": "účet",
    "party.vat_payer": "plátce DPH",
    "party.email": "e-mail",
    "party.phone": "telefon",
    "party.superior": "nadřazený provozovatel",
    "party.licence": "licence",
    "party.registration": "zápis v rejstříku",
    "party.eic": "EIC účastníka",
}
_POINT: Final[dict[str, Any]] = {
    "supply_point.ean": "EAN/EIC",
    "supply_point.name": "název místa",
    "supply_point.object": "objekt",
    "supply_point.street": "ulice",
    "supply_point.city": "obec",
    "supply_point.postal_code": "PSČ",
    "supply_point.commodity": ("komodita", _COMMODITIES),
    "supply_point.operator": "provozovatel",
    "supply_point.supplier": "dodavatel",
    "supply_point.point_type": ("druh", {"odběr": "consumption", "výrobna": "production", "předávací": "entry"}),
    "supply_point.voltage_level": "napětí",
    "supply_point.metering_type": "typ měření",
    "supply_point.category": ("kategorie", {"domácnost": "household", "podnikatel": "business"}),
    "supply_point.load_profile_class": "třída TDD",
    "supply_point.temperature_zone": "teplotní oblast",
    "supply_point.planned_mwh": "plánovaná spotřeba MWh",
    "supply_point.pressure_level": ("tlaková hladina", {"NTL": "low", "STL": "medium", "VTL": "high"}),
    "supply_point.gas_group": "skupina GRP",
    "contract.number": "číslo smlouvy",
    "contract.kind": (
        "druh smlouvy",
        {
            "připojení": "connection",
            "distribuce": "distribution",
            "rámcová": "framework",
            "sdružená": "combined",
            "dodávka": "supply",
            "nákup": "purchase",
        },
    ),
    "contract.customer": "zákazník",
    "contract.payer": "plátce",
    "contract.valid_from": "smlouva od",
    "contract.valid_to": "smlouva do",
    "item.prices": "ceník",
    "item.rate": "sazba",
    "item.breaker_phases": "fáze jističe",
    "item.breaker_amps": "jistič A",
    "item.breaker_characteristic": "charakteristika jističe",
    "item.reserved_input_kw": "rezervovaný příkon kW",
    "item.reserved_output_kw": "rezervovaný výkon kW",
    "item.reserved_capacity_year_kw": "roční kapacita kW",
    "item.reserved_capacity_month_kw": "měsíční kapacita kW",
    "item.annual_mwh": "roční odběr MWh",
    "item.gas_daily_capacity_m3": "denní kapacita m3",
    "item.gas_capacity_month_m3": "měsíční denní kapacita m3",
    "item.gas_capacity_sliding_m3": "klouzavá denní kapacita m3",
    "item.gas_category": "kategorie plynu",
    "item.unmetered_w": "neměřený příkon W",
    "item.unmetered_flat": "neměřeno paušálem",
    "item.valid_from": "položka od",
    "item.valid_to": "položka do",
}
_METER: Final[dict[str, Any]] = {
    "meter.id": "měřidlo",
    "meter.serial": "výrobní číslo",
    "meter.model": "typ",
    "meter.commodity": ("komodita", _COMMODITIES),
    "meter.template": "šablona",
    "meter.since": "osazeno",
    "meter.address": "adresa",
    "meter.channel": "kanál",
    "meter.multiplier": "konstanta",
    "meter.digits": "míst",
    "meter.place": "umístění",
    "measuring_point.name": "měřicí místo",
    "measuring_point.place": "popis místa",
    "board.name": "rozvaděč",
    "concentrator.id": "koncentrátor",
    "concentrator.name": "název koncentrátoru",
    "concentrator.place": "místo koncentrátoru",
    "bus.name": "sběrnice",
    "bus.protocol": "protokol",
    "bus.host": "adresa převodníku",
    "bus.port": "port převodníku",
    "supply_point.ean": "EAN/EIC",
}


def _shipped(content: Content, columns: dict[str, Any], file_format: str) -> RegistryMapping:
    rules = {
        name: {"column": rule} if isinstance(rule, str) else {"column": rule[0], "codes": rule[1]}
        for name, rule in columns.items()
    }
    return mapping_of({"content": content, "format": file_format, "columns": rules})


_TABLES: Final[tuple[tuple[str, Content, dict[str, Any]], ...]] = (
    ("customers", "parties", _PARTY),
    ("supply-points", "supply_points", _POINT),
    ("meters", "meters", _METER),
)
SHIPPED: Final[dict[str, RegistryMapping]] = {
    name if file_format == "csv" else f"{name}-xlsx": _shipped(content, columns, file_format)
    for name, content, columns in _TABLES
    for file_format in ("csv", "xlsx")
}
"""Mappings that come with the system, and in which it exports."""
