"""The file format of a legislative package.

A package is one JSON file. Numbers are decimal strings, so that nothing passes through a binary float. Every value
table and every rule names its source (a price decision, an act, or an assumption of the product) and a mark that says
how sure the value is.
"""

from enum import StrEnum
from typing import Literal

import msgspec

from central.readings.estimation.order import EstimationOrder

FORMAT = 2
"""The format that is written: 2 has signatures, deadlines, stepped values, series and packages that do not bind."""
FORMATS = (1, 2)
"""The formats that are read: packages of the first one are in databases."""


class Mark(StrEnum):
    """How sure a value is: read in a source, derived from documented numbers, or general knowledge to be verified."""

    DOCUMENTED = "documented"
    INFERRED = "inferred"
    ASSUMED = "assumed"


class Text(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One name in the two languages of the product."""

    cs: str
    en: str


class Source(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where values come from: the decision's or act's number and title; `note` says what was read of it."""

    title: str
    note: str = ""


class Rate(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A low-voltage distribution rate (distribuční sazba): its registers (JT, or VT and NT) and hours of low tariff."""

    name: str
    registers: list[str]
    low_tariff_hours: int | None = None


class Band(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A breaker band (pásmo jističe): rated currents in amperes over `over` up to and including `up_to`.

    `single_phase_up_to`: the band also takes one-phase breakers up to this current. `per_ampere`: the price is for each
    ampere of the whole rated current, not for the band.
    """

    name: str
    phases: int
    over: str
    up_to: str | None = None
    single_phase_up_to: str | None = None
    per_ampere: bool = False


class ConsumptionBand(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A gas band by converted annual consumption in MWh: over `over`, up to and including `up_to` (none: no limit)."""

    name: str
    over: str
    up_to: str | None = None


class ValueTable(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Values of one component: each row holds the keys in the order of `keys`, then the value as a decimal string."""

    component: str
    unit: str
    keys: list[str]
    source: str
    mark: Mark
    rows: list[list[str]]
    valid: tuple[str, str] | None = None
    note: str = ""


class Rule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is billed and how: a component, its rate code (číslo sazby), and a formula registered in code by name.

    `levels` are the voltage levels it applies to (gas: empty). `registers` limits it to distribution rates with these
    registers. `code` is none for a rule that only evaluates (power factor inside its neutral band). `valid` limits it
    to days of the package (half-open), for a law that changes within its time.
    """

    component: str
    code: int | None
    name: Text
    formula: str
    parameters: dict[str, str]
    source: str
    mark: Mark
    levels: list[str] = []
    registers: list[str] = []
    group: str | None = None
    note: str = ""
    valid: tuple[str, str] | None = None


class Group(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Rules billed together: `take` "higher" bills only the highest of their payments, "all" each of them."""

    name: str
    take: str
    source: str
    mark: Mark
    note: str = ""


class Rounding(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Half-up rounding of one kind of number to a step, for example amounts of lines to 0.01."""

    step: str
    source: str
    mark: Mark


class Vat(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Value added tax on every regulated component of the package, in percent."""

    percent: str
    source: str
    mark: Mark


class VerificationPeriod(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """How long a kind of instrument may be used after its verification; `years` null: without limit.

    `extension_years`: what a passed test of samples adds for a group. `to_year_end`: counted from the end of the year.
    """

    kind: str
    name: str
    years: int | None
    extension_years: int | None = None
    to_year_end: bool
    source: str
    mark: Mark
    note: str = ""


class Deadline(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A deadline or window of time by name: `count` of `unit`, counted `since` what its text says.

    Negative counts are before it: -1 working day before the month is the last working day of the one before.
    """

    name: str
    count: int
    unit: Literal["day", "working_day", "month", "year"]
    since: str
    text: Text
    source: str
    mark: Mark
    note: str = ""


class Steps(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Values of one component by steps of a quantity: each row is (from, value), rising; a value holds up to the next.

    `of` names the quantity ("tg_phi"). Below the first step there is no value.
    """

    component: str
    unit: str
    of: str
    rows: list[tuple[str, str]]
    source: str
    mark: Mark
    valid: tuple[str, str] | None = None
    note: str = ""


class Series(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Shares of a year: a load-profile class (třída TDD) by reference to who publishes it, or values by month.

    `reference` says where the series is published; `months` has twelve shares in percent, or nothing.
    """

    name: str
    kind: Literal["load_profile_class", "monthly_shares"]
    reference: str
    source: str
    mark: Mark
    months: list[str] = []
    note: str = ""


class PackageFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A whole legislative package as it stands in its file.

    `valid` is half-open (from, to). `named_bands`: what the key band may be in a table besides breakers and
    consumption ("T1"). `binding` false: announced, not in force; nothing is settled by it unless the
    operator says so. `example`: the values are documented for another time and stand in for
    missing ones; whatever is priced by them says so. `checksum` is over the canonical content without itself and the
    signature.
    """

    format: int
    name: str
    version: str
    scope: str
    commodity: str
    title: Text
    valid: tuple[str, str]
    example: bool
    sources: dict[str, Source]
    operators: dict[str, str]
    vat: Vat
    rounding: dict[str, Rounding]
    rules: list[Rule]
    groups: list[Group]
    tables: list[ValueTable]
    rates: dict[str, Rate] = {}
    breaker_bands: list[Band] = []
    consumption_bands: dict[str, list[ConsumptionBand]] = {}
    named_bands: dict[str, Text] = {}
    estimation_orders: list[EstimationOrder] = []
    verification_periods: list[VerificationPeriod] = []
    deadlines: list[Deadline] = []
    steps: list[Steps] = []
    series: list[Series] = []
    notes: list[str] = []
    binding: bool = True
    checksum: str = ""
    signature: str | None = None
