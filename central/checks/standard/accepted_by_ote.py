"""Check 1007: readings accepted by the market operator (Kontrola přijetí naměřených dat OTE). Ours."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Final

import numpy as np
from numpy.typing import NDArray

from central.checks import told
from central.checks.cover import covered_days
from central.checks.frame import MISSING, Frame, Numbers, match
from central.checks.framework import Asked, Definition, Findings, Kind, Text, Value, findings
from central.checks.standard.measured_interval import read_measurements
from central.checks.verdict import Result

ACCEPTED, BY_HAND, RESERVED, WAITING, UNSENT, REJECTED, PARTLY, NOT_TOLD = range(8)
"""The first six in the order of `told`."""
RESULTS: Final = (
    Result.OK, Result.INFO, Result.INFO, Result.WARNING, Result.WARNING, Result.ERROR, Result.INFO, Result.INFO,
)  # fmt: skip
WHYS: Final = ("day", "month", "states", "gas_day", "gas_month", "gas_states")
"""Duties that tell what was measured: interval data (121) by day or month, states (122), of gas by EDIGAS."""

DUTIES: Final = f"""
    -- what must be told of the points' readings, from when until when, with what became of it
    SELECT d.supply_point, d.id AS duty, m.id AS message, {told.STATUS} AS status,
           lower(d.period) - DATE '1970-01-01' AS first, upper(d.period) - DATE '1970-01-01' AS end_
      FROM market_duty d
    {told.LAST_MESSAGE}
     WHERE d.supply_point = ANY (%(points)s::bigint[]) AND d.why = ANY (%(whys)s::text[]) AND d.state <> 'waived'
       AND d.period && daterange(DATE '1970-01-01' + %(low)s::integer, DATE '1970-01-01' + %(high)s::integer)
"""  # noqa: S608 - the parts are texts of our own code


@dataclass(frozen=True)
class Accepted:
    """The bases that stand on measurements, and the duties of their points."""

    measured: Frame
    duties: Frame


class AcceptedByOte:
    """What is invoiced is what the market operator was told and took."""

    definition: ClassVar[Definition] = Definition(
        number=1007,
        name=Text("Kontrola přijetí naměřených dat OTE", "Readings accepted by OTE"),
        rule=Text(
            "Naměřená data místa (121, 122, plyn EDIGAS) za interval podkladu přijatá OTE: OK; přijatá s výhradou, "
            "předaná mimo zprávy, sdělovaná jen za část dnů nebo vůbec ne: informace; čekající na odpověď nebo "
            "neodeslaná: varování; odmítnutá: chyba. Podklad bez měření se neposuzuje.",
            "The point's measured data (121, 122, of gas EDIGAS) of the basis's interval accepted by OTE: OK; accepted "
            "with reservation, handed over outside messages, told of some days only or not at all: info; waiting for "
            "an answer or not sent: warning; rejected: error. A basis without measurements is not judged.",
        ),
        group="Aktualizace fakturačních podkladů",
        groups=("regular", "annual"),
        statements=("regular", "annual"),
        messages=(
            Text(
                "Naměřená data od {first} do {end} OTE přijal (zpráv: {all}).",
                "The measured data from {first} to {end} were accepted by OTE (messages: {all}).",
            ),
            Text(
                "Naměřená data byla OTE předána mimo zprávy ({many} z {all} sdělení, první za dny od {day}); zda je "
                "přijal, není známo.",
                "The measured data were handed over to OTE outside messages ({many} of {all}, the first of the days "
                "from {day}); whether it accepted them is not known.",
            ),
            Text(
                "OTE přijal s výhradou {many} z {all} zpráv s naměřenými daty, první za dny od {day}.",
                "OTE accepted {many} of {all} messages of measured data with reservation, the first of the days from "
                "{day}.",
            ),
            Text(
                "Na odpověď OTE čeká {many} z {all} zpráv s naměřenými daty, první za dny od {day}.",
                "{many} of {all} messages of measured data wait for the answer of OTE, the first of the days from "
                "{day}.",
            ),
            Text(
                "Naměřená data nejsou OTE odeslána: chybí {many} z {all} zpráv, první za dny od {day}. Odešlete je.",
                "The measured data are not sent to OTE: {many} of {all} messages lack, the first of the days from "
                "{day}. Send them.",
            ),
            Text(
                "OTE odmítl {many} z {all} zpráv s naměřenými daty, první za dny od {day}. Opravte data a odešlete je "
                "znovu.",
                "OTE rejected {many} of {all} messages of measured data, the first of the days from {day}. Correct the "
                "data and send them again.",
            ),
            Text(
                "Naměřená data se OTE sdělují jen za {days} z {interval} dnů od {first} do {end}; co se sděluje, OTE "
                "přijal.",
                "The measured data are told to OTE of only {days} of the {interval} days from {first} to {end}; what "
                "is told was accepted.",
            ),
            Text(
                "Naměřená data od {first} do {end} se OTE nesdělují, nebo to ještě nevzniklo jako povinnost.",
                "The measured data from {first} to {end} are not told to OTE, or no duty to do so has arisen yet.",
            ),
        ),
    )

    def read(self, asked: Asked, bases: Frame) -> Accepted:
        """Measurements (shared), and the duties that lie in the bases' time."""
        measurements = asked.once("measurements of bases", read_measurements)
        names = ("supply_point", "duty", "message", "status", "first", "end_")
        given = {"low": int(bases["first"].min()), "high": int(bases["end_"].max())}
        return Accepted(measurements, asked.frame(DUTIES, names, whys=list(WHYS), **given))

    def verdict(self, bases: Frame, read: Accepted, parameters: Mapping[str, Any]) -> Sequence[Findings]:
        """One finding for each basis with measurements, about the worst of what was to be told."""
        judged = bases.take(np.isin(bases["id"], read.measured["basis"]))
        duties, many = read.duties, len(judged)
        points = [judged["supply_point"]], [duties["supply_point"]]
        places, others = match(*points)
        over = (judged["first"][places] < duties["end_"][others]) & (duties["first"][others] < judged["end_"][places])
        places, others = places[over], others[over]
        worst = np.full(many, -1, dtype=np.int64)
        np.maximum.at(worst, places, duties["status"][others])
        at_worst = duties["status"][others] == worst[places]
        # written from the last day to the first, so that the first of the worst stays
        order = np.argsort(-duties["first"][others[at_worst]], kind="stable")
        chosen = np.full(many, -1, dtype=np.intp)
        chosen[places[at_worst][order]] = others[at_worst][order]
        there = chosen >= 0
        days = covered_days(points[0], judged, points[1], duties)
        interval = judged["end_"] - judged["first"]
        part = there & (worst <= RESERVED) & (days < interval)
        messages = np.select([~there, part], [NOT_TOLD, PARTLY], default=worst)
        values = {
            "first": Value(Kind.DAY, judged["first"]),
            "end": Value(Kind.DAY, judged["end_"]),
            "all": Value(Kind.COUNT, np.bincount(places, minlength=many)),
            "many": Value(Kind.COUNT, np.bincount(places[at_worst], minlength=many)),
            "days": Value(Kind.COUNT, days),
            "interval": Value(Kind.COUNT, interval),
            "day": Value(Kind.DAY, _of(duties, "first", chosen)),
            "message": Value(Kind.LINK, _of(duties, "message", chosen), ("market_message",)),
            "duty": Value(Kind.LINK, _of(duties, "duty", chosen), ("market_duty",)),
        }
        return [findings(judged["id"], np.array(RESULTS, dtype=np.int8)[messages], messages, values)]


def _of(duties: Frame, name: str, chosen: NDArray[np.intp]) -> Numbers:
    """A column of the chosen duties; MISSING where none is chosen (below 0)."""
    column: Numbers = np.concatenate((duties[name], [MISSING]))
    return column[chosen]
