"""Check 1008: registration of the point at the market operator (Kontrola registrace místa u OTE). Ours.

What was told are the acts of the registry (111, in bulk 194, of gas XG1), each with the whole record of the point: so
an act that was accepted stands for all before it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Final

import numpy as np
from numpy.typing import NDArray

from central.checks import told
from central.checks.cover import covered_days
from central.checks.frame import MISSING, Frame, Numbers, match
from central.checks.framework import SERVICES, Asked, Definition, Findings, Kind, Text, Value, findings
from central.checks.verdict import Result

ACCEPTED, BY_HAND, RESERVED, WAITING, UNSENT, REJECTED, NOT_LIVE, BEFORE, NOT_TOLD, UNKNOWN, DIFFERS = range(11)
"""The first six in the order of `told`."""
RESULTS: Final = (Result.OK, Result.INFO, Result.INFO, Result.WARNING, Result.WARNING, Result.ERROR)
REGISTRATION, END, CHANGE = range(3)
ACTS: Final = ("registrace / registration", "ukončení / end", "změna / change")
SERVED: Final = (SERVICES.index("distribution"), SERVICES.index("supply"))
"""Services that need a registered point."""
BEGINNING: Final = -2_147_483_648
"""The first day of what holds from the beginning."""
FACTS: Final = (
    "napěťová hladina / voltage level", "typ měření / metering type", "zrušení / end", "přerušení / suspension",
    "jiné údaje / other data",
)  # fmt: skip
OTHER_DATA: Final = len(FACTS) - 1

LIVE: Final = """
    -- when the points are connected (or suspended), and whether they are told at all
    SELECT s.id AS supply_point, (s.point_type = 'entry')::integer AS is_entry,
           coalesce(lower(s.valid) - DATE '1970-01-01', -2147483648) AS first,
           coalesce(upper(s.valid) - DATE '1970-01-01', 2147483648) AS end_
      FROM supply_point_valid s
     WHERE s.id = ANY (%(points)s::bigint[]) AND s.state IN ('connected', 'suspended')
"""
TOLD: Final = f"""
    -- acts of the registry that are told, with what became of each; many registrations may share a message
    SELECT a.supply_point, d.id AS duty, m.id AS message, lower(d.period) - DATE '1970-01-01' AS day,
           {told.STATUS} AS status,
           CASE WHEN d.why LIKE '%%registration' THEN {REGISTRATION} WHEN d.why IN ('end', 'gas_end') THEN {END}
                ELSE {CHANGE} END AS act
      FROM (SELECT o.id AS duty, o.supply_point FROM market_duty o
             WHERE o.supply_point = ANY (%(points)s::bigint[]) AND o.message_code IN ('111', 'XG1')
             UNION ALL
            SELECT o.id, s.id
              FROM market_duty o CROSS JOIN jsonb_array_elements_text(o.cause -> 'points') AS p (ean)
              JOIN supply_point s ON s.ean = p.ean
             WHERE o.message_code = '194' AND s.id = ANY (%(points)s::bigint[])) AS a
      JOIN market_duty d ON d.id = a.duty AND d.state <> 'waived'
    {told.LAST_MESSAGE}
"""  # noqa: S608 - the parts are texts of our own code
SINCE: Final = """
    -- since when acts are told, by commodity: the first one of the first month that has duties
    SELECT (d.message_code = 'XG1')::integer AS commodity, min(lower(d.period)) - DATE '1970-01-01' AS day
      FROM market_duty d
     WHERE d.month = (SELECT min(month) FROM market_duty) AND d.message_code IN ('111', '194', 'XG1')
     GROUP BY 1
"""
DIFFERENT: Final = f"""
    -- what the market operator says of the points otherwise than the registry, and nobody has decided yet
    SELECT p.supply_point, p.id AS proposal, (p.proposed ->> 'since')::date - DATE '1970-01-01' AS since,
           CASE WHEN p.proposed -> 'changes' ? 'voltage_level' THEN 0
                WHEN p.proposed -> 'changes' ? 'metering_type' THEN 1
                WHEN p.proposed ->> 'action' = 'cancel' THEN 2
                WHEN p.proposed ->> 'action' = 'suspend' THEN 3
                ELSE {OTHER_DATA} END AS fact
      FROM market_proposal p
     WHERE p.state = 'waiting' AND p.kind = 'point_change' AND p.supply_point = ANY (%(points)s::bigint[])
"""  # noqa: S608 - the parts are numbers of our own code


@dataclass(frozen=True)
class Registered:
    """When points are connected, the acts told of them, since when acts are told, and what is said otherwise."""

    live: Frame
    acts: Frame
    since: Frame
    different: Frame


class Registration:
    """What is invoiced was taken or delivered at a point that the market operator knows as we do."""

    definition: ClassVar[Definition] = Definition(
        number=1008,
        name=Text("Kontrola registrace místa u OTE", "Registration of the point at OTE"),
        rule=Text(
            "Místo je připojeno po celý interval a OTE přijal všechny jeho akty, které se intervalu týkají "
            "(registrace, změna hladiny, typu měření a dalších údajů): OK; přijal s výhradou: informace; "
            "akt čeká na přijetí, nebo změna není odeslána: varování; není připojeno, registrace není odeslána, akt "
            "je odmítnut, nebo OTE uvádí jinou hladinu, typ měření či ukončení: chyba. Místo vedené od počátku: OK; "
            "akty se ještě nesdělovaly: informace.",
            "The point is connected over the whole interval and OTE accepted all its acts that concern the interval "
            "(registration, change of level, metering type and other data): OK; with reservation: info; an act waits "
            "to be accepted, or a change is not sent: warning; not connected, registration not sent, an act rejected, "
            "or OTE says another level, metering type or an end: error. A point from the beginning: OK; acts were not "
            "told yet: info.",
        ),
        group="Aktualizace fakturačních podkladů",
        groups=("regular", "accrual", "annual"),
        statements=("regular", "annual"),
        messages=(
            Text(
                "OTE má údaje místa jako evidence: {act} ke dni {day}, přijato.",
                "OTE has the data of the point as the registry: {act} of {day}, accepted.",
            ),
            Text(
                "OTE předáno mimo zprávy: {act} ke dni {day}.", "Handed over to OTE outside messages: {act} of {day}."
            ),
            Text("OTE přijal s výhradou: {act} ke dni {day}.", "OTE accepted with reservation: {act} of {day}."),
            Text("Na přijetí OTE čeká: {act} ke dni {day}.", "Waits to be accepted by OTE: {act} of {day}."),
            Text("OTE není odesláno: {act} ke dni {day}. Odešlete to.", "Not sent to OTE: {act} of {day}. Send it."),
            Text(
                "OTE odmítl: {act} ke dni {day}. Místo u něj není vedeno tak, jak se účtuje; opravte údaje a odešlete "
                "je znovu.",
                "OTE rejected: {act} of {day}. It does not have the point as it is billed; correct the data and send "
                "them again.",
            ),
            Text(
                "Místo je připojeno jen {days} z {all} dnů intervalu od {first} do {end}.",
                "The point is connected on only {days} of the {all} days of the interval from {first} to {end}.",
            ),
            Text(
                "Místo je vedeno od počátku, tedy registrováno dříve, než se OTE začalo sdělovat.",
                "The point is there from the beginning, so it was registered before anything was told to OTE.",
            ),
            Text(
                "Místo je připojeno od {day}, jeho registrace nebyla OTE sdělena. Sdělte ji.",
                "The point is connected since {day}, its registration was not told to OTE. Tell it.",
            ),
            Text(
                "O registraci místa připojeného od {day} není záznam: tehdy se OTE ještě nesdělovalo.",
                "There is no record of the registration of the point connected since {day}: nothing was told to OTE "
                "then.",
            ),
            Text(
                "OTE uvádí od {day} jinak: {fact}. Návrh změny čeká na rozhodnutí.",
                "OTE says otherwise since {day}: {fact}. The proposed change waits for a decision.",
            ),
        ),
    )

    def read(self, asked: Asked, bases: Frame) -> Registered:
        """States of the points, acts told of them, and proposals that wait."""
        return Registered(
            asked.frame(LIVE, ("supply_point", "is_entry", "first", "end_")),
            asked.frame(TOLD, ("supply_point", "duty", "message", "day", "status", "act")),
            asked.frame(SINCE, ("commodity", "day")),
            asked.frame(DIFFERENT, ("supply_point", "proposal", "since", "fact")),
        )

    def verdict(self, bases: Frame, read: Registered, parameters: Mapping[str, Any]) -> Sequence[Findings]:
        """A finding about the days connected where they lack, one about the acts, one for each proposal."""
        entries = np.unique(read.live["supply_point"][read.live["is_entry"] == 1])
        judged = bases.take(np.isin(bases["service"], SERVED) & ~np.isin(bases["supply_point"], entries))
        return [_connected(judged, read.live), *_told(judged, read), _different(judged, read.different)]


def _connected(judged: Frame, live: Frame) -> Findings:
    all_ = judged["end_"] - judged["first"]
    days = covered_days([judged["supply_point"]], judged, [live["supply_point"]], live)
    lacks = np.flatnonzero(days < all_)
    values = {
        "days": Value(Kind.COUNT, days[lacks]),
        "all": Value(Kind.COUNT, all_[lacks]),
        "first": Value(Kind.DAY, judged["first"][lacks]),
        "end": Value(Kind.DAY, judged["end_"][lacks]),
    }
    return findings(judged["id"][lacks], Result.ERROR, NOT_LIVE, values)


def _told(judged: Frame, read: Registered) -> list[Findings]:
    """Of the acts since the last one accepted before the interval, until its end, the worst; of points without acts
    what their first day says."""
    acts = read.acts
    places, others = match([judged["supply_point"]], [acts["supply_point"]])
    place, day = judged["first"][places], acts["day"][others]
    fine = (acts["status"][others] <= told.RESERVED) & (day <= place)
    last = np.full(len(judged), MISSING, dtype=np.int64)
    np.maximum.at(last, places[fine], day[fine])
    concern = (day < judged["end_"][places]) & (day >= last[places])
    places, others = places[concern], others[concern]
    # a registration weighs more than a change in the same state; of equal ones the latest is named
    weight = acts["status"][others] * 2 + (acts["act"][others] == REGISTRATION)
    order = np.lexsort((acts["day"][others], weight))
    chosen = np.full(len(judged), -1, dtype=np.intp)
    chosen[places[order]] = others[order]
    there = np.flatnonzero(chosen >= 0)
    worst = acts.take(chosen[there])
    values = {
        "act": Value(Kind.WORD, worst["act"], ACTS),
        "day": Value(Kind.DAY, worst["day"]),
        "message": Value(Kind.LINK, worst["message"], ("market_message",)),
        "duty": Value(Kind.LINK, worst["duty"], ("market_duty",)),
    }
    result = np.array(RESULTS, dtype=np.int8)[worst["status"]]
    result[(worst["status"] == told.UNSENT) & (worst["act"] == REGISTRATION)] = Result.ERROR
    return [
        findings(judged["id"][there], result, worst["status"], values),
        _without_acts(judged.take(np.flatnonzero(chosen < 0)), read),
    ]


def _without_acts(judged: Frame, read: Registered) -> Findings:
    begun = _least([judged["supply_point"]], [read.live["supply_point"]], read.live["first"])
    since = _least([judged["commodity"]], [read.since["commodity"]], read.since["day"])
    there = begun != MISSING
    messages = np.select(
        [begun == BEGINNING, (since != MISSING) & (begun >= since)], [BEFORE, NOT_TOLD], default=UNKNOWN
    )[there]
    results = np.array([Result.OK, Result.ERROR, Result.INFO], dtype=np.int8)[messages - BEFORE]
    day = np.where(begun == BEGINNING, MISSING, begun)[there]
    return findings(judged["id"][there], results, messages, {"day": Value(Kind.DAY, day)})


def _different(judged: Frame, different: Frame) -> Findings:
    places, others = match([judged["supply_point"]], [different["supply_point"]])
    concern = different["since"][others] < judged["end_"][places]
    places, others = places[concern], others[concern]
    fact = different["fact"][others]
    values = {
        "fact": Value(Kind.WORD, fact, FACTS),
        "day": Value(Kind.DAY, different["since"][others]),
        "proposal": Value(Kind.LINK, different["proposal"][others], ("market_proposal",)),
    }
    results = np.where(fact == OTHER_DATA, Result.WARNING, Result.ERROR)
    return findings(judged["id"][places], results, DIFFERS, values)


def _least(keys: Sequence[Numbers], others: Sequence[Numbers], values: Numbers) -> Numbers:
    """The least value of each key; MISSING where there is none."""
    places, matched = match(keys, others)
    order: NDArray[np.intp] = np.argsort(-values[matched], kind="stable")
    found = np.full(len(keys[0]), MISSING, dtype=np.int64)
    found[places[order]] = values[matched][order]
    return found
