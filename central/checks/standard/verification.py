"""Check 1006: expired verification of the meters behind a basis (Kontrola platnosti ověření měřidel). Ours.

Instrument transformers have no verification in the registry: theirs holds without limit (verification_period).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, ClassVar, Final

import numpy as np

from central.checks.cover import covered_days
from central.checks.frame import MISSING, Frame, Numbers, group, match
from central.checks.framework import Asked, Definition, Findings, Kind, Parameter, Text, Value, findings
from central.checks.standard.measured_interval import read_measurements
from central.checks.verdict import Result
from central.platform.arrays import int_array

VALID, UNLIMITED, SOON, PARTLY, EXPIRED, UNKNOWN = range(6)
RESULTS: Final = (Result.OK, Result.OK, Result.WARNING, Result.WARNING, Result.ERROR, Result.INFO)
DAYS: Final = "days_ahead"
FARTHEST: Final = Decimal(100_000)
"""Days ahead that make no difference any more."""
ALWAYS: Final = 2_932_897
"""The day after 9999-12-31: where a verification without limit ends."""

USES = """
    -- which register fed which channel, from when until when (days)
    SELECT m.channel, m.evidence_channel AS register,
           coalesce((lower(m.valid) AT TIME ZONE 'Europe/Prague')::date - DATE '1970-01-01', -2147483648) AS first,
           coalesce((upper(m.valid) AT TIME ZONE 'Europe/Prague')::date - DATE '1970-01-01', 2147483648) AS end_
      FROM channel_mapping m
     WHERE m.channel = ANY (%(channels)s::integer[])
"""
METERS = """
    -- the meters of registers, in the order of the registers
    SELECT e.device FROM evidence_channel e WHERE e.id = ANY (%(registers)s::integer[]) ORDER BY e.id
"""
VERIFICATIONS = """
    -- verifications of these meters: the days on which each holds
    SELECT n.place - 1 AS meter, v.id AS verification, v.verified_on - DATE '1970-01-01' AS first,
           coalesce(v.until + 1 - DATE '1970-01-01', %(always)s) AS end_
      FROM unnest(%(meters)s::text[]) WITH ORDINALITY AS n (name, place)
      JOIN meter_verification v ON v.meter = n.name
"""


@dataclass(frozen=True)
class Verified:
    """Measurements by basis, which meter fed their channels when, and when its verifications hold."""

    measurements: Frame
    uses: Frame
    verifications: Frame


class Verification:
    """What is invoiced was measured by a meter whose verification held."""

    definition: ClassVar[Definition] = Definition(
        number=1006,
        name=Text("Kontrola platnosti ověření měřidel", "Expired verification of meters"),
        rule=Text(
            "Ověření měřidla, které měřilo hodnoty podkladu, platí po všechny dny měření: OK; končí méně než zadaný "
            "počet dnů po nich, nebo platí jen část dnů: varování; skončilo před nimi: chyba; není zapsáno: informace. "
            "Ověření měřicích transformátorů není časově omezeno a virtuální měřidla se neposuzují.",
            "The verification of the meter that measured the basis's values holds on all days of the measurement: OK; "
            "it ends less than the given number of days after them, or holds on a part of them: warning; it ended "
            "before them: error; none is entered: info. The verification of instrument transformers has no limit, and "
            "virtual meters are not judged.",
        ),
        group="Aktualizace fakturačních podkladů",
        groups=("regular", "annual"),
        statements=("regular", "annual"),
        parameters=(
            Parameter(
                DAYS,
                Text(
                    "Kolik dnů po měření má ověření ještě platit, aby se na jeho konec neupozornilo.",
                    "For how many days after the measurement a verification must still hold not to be warned of.",
                ),
                Decimal(60),
            ),
        ),
        messages=(
            Text("Ověření měřidla {meter} platí do {until}.", "The verification of meter {meter} holds until {until}."),
            Text(
                "Ověření měřidla {meter} platí bez omezení.", "The verification of meter {meter} holds without limit."
            ),
            Text(
                "Ověření měřidla {meter} platí jen do {until}. Naplánujte jeho výměnu nebo nové ověření.",
                "The verification of meter {meter} holds only until {until}. Plan its exchange or a new verification.",
            ),
            Text(
                "Ověření měřidla {meter} platí jen {held} z {all} dnů měření od {first} do {end} (poslední do "
                "{until}). Odečet po konci ověření neúčtujte bez schválení.",
                "The verification of meter {meter} holds on only {held} of {all} days of the measurement from {first} "
                "to {end} (the last one until {until}). Do not bill what was read after it without approval.",
            ),
            Text(
                "Ověření měřidla {meter} skončilo {until}, měření je od {first} do {end}. Měřidlo vyměňte, nebo "
                "doplňte jeho ověření.",
                "The verification of meter {meter} ended on {until}, the measurement is from {first} to {end}. "
                "Exchange the meter, or enter its verification.",
            ),
            Text(
                "U měřidla {meter} není zapsáno ověření platné pro měření od {first} do {end}.",
                "No verification of meter {meter} is entered for the measurement from {first} to {end}.",
            ),
        ),
    )

    def read(self, asked: Asked, bases: Frame) -> Verified:
        """Measurements (shared), the meters that fed their channels, and their verifications."""
        measurements = asked.once("measurements of bases", read_measurements)
        channels = int_array(np.unique(measurements["channel"]))
        uses = asked.frame(USES, ("channel", "register", "first", "end_"), channels=channels)
        registers, places = np.unique(uses["register"], return_inverse=True)
        devices = asked.words(METERS, registers=int_array(registers))
        meters = tuple(sorted(set(devices)))
        place_of = {name: place for place, name in enumerate(meters)}
        fed = np.array([place_of[name] for name in devices], dtype=np.int64)[places]
        names = ("meter", "verification", "first", "end_")
        verifications = asked.frame(VERIFICATIONS, names, meters=[*meters], always=ALWAYS)
        return Verified(measurements, Frame({**uses.columns, "meter": fed}, {"meter": meters}), verifications)

    def verdict(self, bases: Frame, read: Verified, parameters: Mapping[str, Any]) -> Sequence[Findings]:
        """A finding for each meter behind each basis, about the days on which it measured."""
        used = _used(bases, read)
        verified = read.verifications
        days = used["end_"] - used["first"]
        held = covered_days([used["meter"]], used, [verified["meter"]], verified)
        last, verification = _last(used, verified)
        ahead = used["end_"] + int(min(parameters[DAYS], FARTHEST))
        messages = np.select(
            [last == MISSING, held == 0, held < days, last >= ALWAYS, last < ahead],
            [UNKNOWN, EXPIRED, PARTLY, UNLIMITED, SOON],
            default=VALID,
        )
        values = {
            "meter": Value(Kind.WORD, used["meter"], read.uses.words["meter"]),
            "until": Value(Kind.DAY, np.where((last == MISSING) | (last >= ALWAYS), MISSING, last - 1)),
            "held": Value(Kind.COUNT, held),
            "all": Value(Kind.COUNT, days),
            "first": Value(Kind.DAY, used["first"]),
            "end": Value(Kind.DAY, used["end_"]),
            "verification": Value(Kind.LINK, verification, ("meter_verification",)),
            "channel": Value(Kind.LINK, used["channel"], ("channel",)),
        }
        return [findings(used["basis"], np.array(RESULTS, dtype=np.int8)[messages], messages, values)]


def _used(bases: Frame, read: Verified) -> Frame:
    """Basis, meter, a channel that it fed, and [first, end_) from its first to its last day behind the basis."""
    places, others = match([bases["id"]], [read.measurements["basis"]])
    measured = read.measurements.take(others)
    rows, uses = match([measured["channel"]], [read.uses["channel"]])
    places = places[rows]
    first = np.maximum.reduce([measured["first"][rows], read.uses["first"][uses], bases["first"][places]])
    end = np.minimum.reduce([measured["end_"][rows], read.uses["end_"][uses], bases["end_"][places]])
    some = first < end
    columns = {
        "basis": bases["id"][places][some],
        "meter": read.uses["meter"][uses][some],
        "channel": measured["channel"][rows][some],
        "first": first[some],
        "end_": end[some],
    }
    numbers, one = group([columns["basis"], columns["meter"]])
    merged = {name: column[one] for name, column in columns.items()}
    np.minimum.at(merged["first"], numbers, columns["first"])
    np.maximum.at(merged["end_"], numbers, columns["end_"])
    return Frame(merged)


def _last(used: Frame, verified: Frame) -> tuple[Numbers, Numbers]:
    """When the last verification before each use's end stops to hold, and its id; MISSING where none is known."""
    last = np.full(len(used), MISSING, dtype=np.int64)
    verification = last.copy()
    places, others = match([used["meter"]], [verified["meter"]])
    before = verified["first"][others] < used["end_"][places]
    places, others = places[before], others[before]
    order = np.argsort(verified["end_"][others], kind="stable")
    # of several the one that holds longest is written last
    last[places[order]] = verified["end_"][others[order]]
    verification[places[order]] = verified["verification"][others[order]]
    return last, verification
