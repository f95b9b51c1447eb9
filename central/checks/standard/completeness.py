"""Check 1001: completeness of billing (Kontrola úplnosti vyúčtování). Ours."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, timedelta
from decimal import Decimal
from typing import Any, ClassVar, Final

import numpy as np
from numpy.typing import NDArray

from central.checks.billed_month import (
    CAPACITY,
    COMPONENTS,
    KINDS,
    LEVELS,
    SOME,
    BilledMonth,
    joined,
    read_month,
    statement_ends,
    uncontracted,
)  # fmt: skip
from central.checks.cover import covered_days
from central.checks.due import REASONS, Happening, expected, happenings, supplied
from central.checks.frame import MICRO, MISSING, Chosen, Frame, Numbers, group, match
from central.checks.framework import COMMODITIES, GAS, Asked, Definition, Findings, Kind, Subject, Text, Value, findings
from central.checks.meters import maybe_same_meter
from central.checks.segments import cut, holding, masks, taken
from central.checks.verdict import Result
from central.settlement.law import Law, law_of
from central.settlement.model import CannotPriceError, TariffPoint

(COMPLETE, NOTHING_BILLED, NOT_BILLED, OMITTED, TWICE, SERVICE, TAKEN, NO_CONTRACT, NO_PAYER, NO_SUPPLIER, SUSPENDED,
 NOT_DUE, UNSUPPLIED, HAPPENED) = range(14)  # fmt: skip
REGULAR: Final = "regular"
KILOWATT, KILOVARH = MICRO, MICRO // 1_000
"""What an excess, in kW, and reactive energy, in MVArh, are billed from at least: less may be rounded away."""
_EPOCH: Final = date(1970, 1, 1)
_REASONS: Final = tuple(REASONS)
_NOT_BILLED: Final = "–"


class Completeness:
    """Every day of a point and every component due on it is on exactly one basis, or there is a named reason."""

    definition: ClassVar[Definition] = Definition(
        number=1001,
        name=Text("Kontrola úplnosti vyúčtování", "Completeness of billing"),
        rule=Text(
            "Za měsíc, i bez řádku platebního kalendáře: každý den místa a každá složka, kterou účinný balíček vždy "
            "účtuje, i překročení a jalová dodávka, které zúčtování změřilo, je na právě jednom nezrušeném podkladu "
            "(různá měřidla zvlášť): OK; na žádném nebo na více: chyba (je-li některý ještě v návrhu: varování); odběr "
            "bez smlouvy, bez plátce, sdružené služby bez dodavatele: chyba; jiný odběr bez dodavatele: varování; "
            "pojmenovaný důvod (přerušeno, bez smlouvy a odběru, ještě se nevyúčtovává): informace.",
            "Over a month, also without a row of the payment calendar: each day of a point and each component that the "
            "package in force always bills, and excesses and reactive delivery that settlement measured, is on exactly "
            "one basis that is not cancelled (meters apart): OK; on none or several: error (where one is a draft: "
            "warning); take-off without contract or payer, combined services without supplier: error; other take-off "
            "without supplier: warning; a named reason (suspended, without contract and take-off, not to be billed "
            "yet): info.",
        ),
        group="Aktualizace fakturačních podkladů",
        groups=("regular", "accrual", "annual"),
        statements=("regular", "annual"),
        once=True,
        messages=(
            Text(
                "{days} dnů, {components} složek: každá je na právě jednom podkladu. Neúčtuje se: {reasons}.",
                "{days} days, {components} components: each is on exactly one basis. Not billed: {reasons}.",
            ),
            Text(
                "{days} dnů od {first} není na žádném podkladu. Zúčtujte je.",
                "{days} days from {first} are on no basis. Settle them.",
            ),
            Text(
                "{component} (sazba {rate}) není {days} dnů od {first} na žádném podkladu. Zúčtujte ji.",
                "{component} (rate {rate}) is on no basis for {days} days from {first}. Settle it.",
            ),
            Text(
                "{days} dnů od {first} není na žádném podkladu: zúčtování místo vynechalo. Odstraňte důvod, který u "
                "něj stojí, a zúčtujte znovu.",
                "{days} days from {first} are on no basis: a settlement left the point out. Mend the reason that it "
                "gives, and settle again.",
            ),
            Text(
                "{component} (sazba {rate}) je {days} dnů od {first} na dvou podkladech. Jeden zrušte.",
                "{component} (rate {rate}) is on two bases for {days} days from {first}. Cancel one of them.",
            ),
            Text(
                "Služba se sazbou {rate} není {days} dnů na žádném podkladu.",
                "The service with rate {rate} is on no basis for {days} days.",
            ),
            Text(
                "Odběr bez smlouvy: {days} dnů od {first} bez položky smlouvy; dnů s odběrem podle profilu {taken}, "
                "největší přírůstek stavu {rise}. Uzavřete smlouvu.",
                "Take-off without contract: {days} days from {first} without a contract item; days with take-off by "
                "the profile {taken}, greatest rise of a state {rise}. Make a contract.",
            ),
            Text(
                "{days} dnů od {first} bez položky smlouvy, odběr nezměřen.",
                "{days} days from {first} without a contract item, no take-off measured.",
            ),
            Text(
                "Položka smlouvy nemá {days} dnů od {first} plátce: smlouva tehdy neplatí. Opravte platnost.",
                "The contract item has no payer for {days} days from {first}: the contract does not hold then. "
                "Correct its validity.",
            ),
            Text(
                "Sdružené služby bez dodavatele: {days} dnů od {first} místo nemá dodavatele, s nímž je rámcová "
                "smlouva. Opravte dodavatele nebo položku.",
                "Combined services without a supplier: for {days} days from {first} the point does not have the "
                "supplier whose framework contract it is under. Correct the supplier or the item.",
            ),
            Text(
                "Přerušeno: {days} dnů od {first} se neúčtuje.",
                "Suspended: {days} days from {first} are not billed.",
            ),
            Text(
                "{days} dnů od {first} se vyúčtuje až po {until}.",
                "{days} days from {first} are billed only after {until}.",
            ),
            Text(
                "Odběr bez dodavatele: místo nemá {days} dnů od {first} dodavatele ani vlastní ceník dodávky. Doplňte "
                "dodavatele.",
                "Take-off without supplier: the point has neither a supplier nor an own price list of supply for "
                "{days} days from {first}. Enter the supplier.",
            ),
            Text(
                "{component} (sazba {rate}): v období od {first} bylo naměřeno {measured}, sjednáno je {agreed}, a na "
                "žádném podkladu měsíce to není. Zúčtujte je.",
                "{component} (rate {rate}): in the time from {first} {measured} was measured, {agreed} is agreed, and "
                "no basis of the month has it. Settle it.",
            ),
        ),
    )  # fmt: skip

    def read(self, asked: Asked, bases: Frame) -> BilledMonth:
        """All points of the month, what is due and what was billed."""
        if asked.month is None:
            raise ValueError("a month is expected: completeness is of a whole month")
        return read_month(asked, asked.month)

    def verdict(self, bases: Frame, read: BilledMonth, parameters: Mapping[str, Any]) -> Sequence[Findings]:
        """Findings about supply points; what is wrong on the rows of the payment calendar, too, where there are any."""
        billed = _Billed(read)
        found = [*_bare(read), *billed.findings()]
        wrong = [each.subjects[(each.results == Result.ERROR) | (each.messages == TWICE)] for each in found]
        complete = billed.complete(np.unique(np.concatenate(wrong)))
        on_rows = [row for each in found if (row := _on_rows(each, read)) is not None]
        return [complete, *found, *on_rows]


class _Billed:
    """The days of all points under contracts, cut wherever something changes, with what is due and what was billed."""

    def __init__(self, month: BilledMonth) -> None:
        self._month = month
        terms = _by_point(month.items, month.terms)
        days = sorted(_borders(month))
        others = [month.items, month.conditions, month.capacities, month.price_lists, month.covers, terms]
        segments = cut(month.points, others, days)
        self._item = holding(segments, month.items)
        under = np.flatnonzero(self._item >= 0)
        self.segments, self._item = segments.take(under), self._item[under]
        self._point, self._terms = holding(self.segments, month.points), holding(self.segments, terms)
        self._parties = terms
        self._length = self.segments["end_"] - self.segments["first"]
        self._happenings: list[tuple[Happening, ...]] = []
        self.due, self.reasons = self._expected()
        customer = taken(terms["customer"], self._terms)
        framework = month.items["framework"][self._item] == 1
        self._unpaid = self._terms < 0
        self._unsupplied = ~self._unpaid & framework & (taken(month.points["supplier"], self._point) != customer)
        self._unsupplied_alone = (
            ~framework
            & (month.items["purchase"][self._item] == 0)
            & (month.points["supplier"][self._point] == MISSING)
            & (holding(self.segments, month.price_lists) < 0)
        )
        lacking = self.due & ~masks(self.segments, month.covers)
        open_ = (lacking != 0) & ~self._unpaid & ~self._unsupplied
        self._until = self._billed_after()
        self._suspended = open_ & (month.points["suspended"][self._point] == 1)
        self._early = open_ & ~self._suspended & (month.today < self._until)
        self._lacking = np.where(open_ & ~self._suspended & ~self._early, lacking, 0)

    def findings(self) -> Iterator[Findings]:
        """What is wrong, and what is not billed for a reason."""
        month, lacking = self._month, self._lacking
        yield self._stretches(self._unpaid, Result.ERROR, NO_PAYER)
        yield self._stretches(self._unsupplied, Result.ERROR, NO_SUPPLIER)
        yield self._stretches(self._unsupplied_alone, Result.WARNING, UNSUPPLIED)
        yield self._stretches(self._suspended, Result.INFO, SUSPENDED)
        yield self._stretches(self._early, Result.INFO, NOT_DUE, self._until)
        bare = (lacking & SOME) != 0
        left_out = bare & np.isin(self.segments["supply_point"], month.omitted["supply_point"])
        yield self._stretches(bare & ~left_out, Result.ERROR, NOTHING_BILLED)
        yield self._stretches(left_out, Result.ERROR, OMITTED)
        for place, rate in enumerate(month.slots):
            yield self._component(~bare & (lacking & (2 << place) != 0), rate)
        yield from self._happened(bare)
        yield self._twice()
        excused = self._suspended | self._early | self._unpaid | self._unsupplied
        yield self._services(self.segments["supply_point"][excused])

    def complete(self, wrong: Numbers) -> Findings:
        """The points under contract that nothing is wrong with."""
        excused = self._suspended | self._early
        right = np.flatnonzero(~excused & ~np.isin(self.segments["supply_point"], wrong))
        points = self.segments["supply_point"][right]
        numbers, first = group([points])
        due, reasons = (np.zeros(len(first), dtype=np.int64) for _ in range(2))
        np.bitwise_or.at(due, numbers, self.due[right])
        np.bitwise_or.at(reasons, numbers, self.reasons[right])
        kinds, place = np.unique(reasons, return_inverse=True)
        words = tuple(
            "; ".join(REASONS[name] for bit, name in enumerate(_REASONS) if kind >> bit & 1) or _NOT_BILLED
            for kind in kinds.tolist()
        )
        values = {
            "days": Value(Kind.COUNT, np.bincount(numbers, self._length[right], len(first)).astype(np.int64)),
            "components": Value(Kind.COUNT, np.bitwise_count(due & ~SOME).astype(np.int64)),
            "reasons": Value(Kind.WORD, place.astype(np.int64), words),
        }
        return findings(points[first], Result.OK, COMPLETE, values, about=Subject.SUPPLY_POINT)

    def _expected(self) -> tuple[Numbers, Numbers]:
        """The bits that are due on each segment, and those of the reasons why others are not."""
        month, items = self._month, self._month.items
        at = {kind: holding(self.segments, month.conditions.take(month.conditions["kind"] == place)) >= 0
              for place, kind in enumerate(KINDS)}  # fmt: skip
        agreed = [holding(self.segments, month.capacities.take(month.capacities["kind"] == place)) >= 0
                  for place in range(len(CAPACITY))]  # fmt: skip
        borders = np.array(sorted(_borders(month)), dtype=np.int64)
        columns = {
            "commodity": month.points["commodity"][self._point],
            "level": month.points["level"][self._point],
            **{name: items[name][self._item] for name in ("prices", "rate", "flat", "purchase")},
            "annual": np.where(month.points["commodity"][self._point] == GAS, items["annual"][self._item], MISSING),
            **{kind: holds.astype(np.int64) for kind, holds in at.items()},
            **{name: holds.astype(np.int64) for name, holds in zip(CAPACITY, agreed, strict=True)},
            "priced": taken(month.price_lists["priced"], holding(self.segments, month.price_lists)),
            "supplier": (month.points["supplier"][self._point] != MISSING).astype(np.int64),
            "stretch": np.searchsorted(borders, self.segments["first"], "right"),
        }
        numbers, first = group(list(columns.values()))
        kinds = [self._kind({name: int(column[place]) for name, column in columns.items()}, int(place))
                 for place in first]  # fmt: skip
        self._kinds = numbers
        bits = np.array(kinds, dtype=np.int64).reshape(-1, 2)[numbers]
        return bits[:, 0], bits[:, 1]

    def _kind(self, facts: Mapping[str, int], place: int) -> tuple[int, int]:
        month = self._month
        day = month.start + timedelta(days=int(self.segments["first"][place]))
        commodity = COMMODITIES[facts["commodity"]]
        operator = month.lists[facts["prices"]]
        point = TariffPoint(
            operator=operator,
            level=None if facts["level"] == MISSING else LEVELS[facts["level"]],
            rate=None if facts["rate"] == MISSING else month.rates[facts["rate"]],
            annual_mwh=None if facts["annual"] == MISSING else Decimal(facts["annual"]) / MICRO,
            tariff_choice="unmetered_flat" if facts["flat"] else "single_component" if facts[KINDS[1]] else None,
            capacity_exempt=bool(facts[KINDS[0]]),
            network_entry=bool(facts["purchase"]),
            storage="storage" if facts[KINDS[2]] else None,
        )
        law = _law(month, commodity, operator, day)
        told = expected(law, point, day, frozenset(name for name in CAPACITY if facts[name]))
        self._happenings.append(happenings(law, point, day))
        rates, reasons = set(told.rates), set(told.reasons)
        if facts["priced"] != MISSING:
            priced = [name for bit, name in enumerate(COMPONENTS) if facts["priced"] >> bit & 1]
            rates |= supplied(commodity, priced, two_tariffs=_two_tariffs(law, point))
        elif facts["supplier"]:
            reasons.add("other_supplier")
        mask = SOME | sum(2 << month.slots.index(rate) for rate in rates)
        return mask, sum(1 << _REASONS.index(reason) for reason in reasons)

    def _billed_after(self) -> Numbers:
        """The day from which each segment must have been billed: the end of its statement, or of its contract."""
        months = np.maximum(taken(self._parties["months"], self._terms, 1), 1)
        length = {each: statement_ends(self._month.start, each) for each in np.unique(months).tolist()}
        until = np.array([length[each] for each in months.tolist()], dtype=np.int64)
        ends = taken(self._parties["ends"], self._terms) - (self._month.start - _EPOCH).days
        ended = (taken(self._parties["ends"], self._terms) != MISSING) & (ends < until)
        return np.where(ended, np.maximum(ends, self._month.days), until)

    def _stretches(self, chosen: Chosen, result: Result, message: int, until: Numbers | None = None) -> Findings:
        places = np.flatnonzero(chosen)
        whole = joined(self.segments.take(places))
        values = _days(self._month, whole["supply_point"], whole["first"], whole["end_"] - whole["first"])
        if until is not None:
            _, first = group([self.segments["supply_point"][places]])
            by_point = dict(zip(self.segments["supply_point"][places][first].tolist(),
                                until[places][first].tolist(), strict=True))  # fmt: skip
            days = np.array([by_point[point] for point in whole["supply_point"].tolist()], dtype=np.int64)
            values["until"] = Value(Kind.DAY, days + (self._month.start - _EPOCH).days)
        if message == OMITTED:
            run = _first_of(whole["supply_point"], self._month.omitted["supply_point"], self._month.omitted["run"])
            values["settlement_run"] = Value(Kind.LINK, run, ("settlement_run",))
        return findings(whole["supply_point"], result, message, values, about=Subject.SUPPLY_POINT)

    def _component(self, chosen: Chosen, rate: int) -> Findings:
        places = np.flatnonzero(chosen)
        points = self.segments["supply_point"][places]
        numbers, first = group([points])
        days = np.bincount(numbers, self._length[places], len(first)).astype(np.int64)
        values = _days(self._month, points[first], self.segments["first"][places][first], days)
        values |= _named(self._month, np.full(len(first), rate, dtype=np.int64))
        return findings(points[first], Result.ERROR, NOT_BILLED, values, about=Subject.SUPPLY_POINT)

    def _happened(self, bare: Chosen) -> Iterator[Findings]:
        """What was measured beyond what is agreed and is on no basis of the month; not of days without any basis."""
        month = self._month
        segment = holding(month.parts, self.segments)
        excused = bare | self._suspended | self._early | self._unpaid | self._unsupplied
        looked = np.flatnonzero((segment >= 0) & ~excused[segment])
        parts, kind = month.parts.take(looked), self._kinds[segment[looked]]
        happenings = {each for known in self._happenings for each in known}
        for happening in sorted(happenings, key=lambda each: each.rate):
            kinds = [number for number, known in enumerate(self._happenings) if happening in known]
            measured, agreed = _measured_and_agreed(parts, happening)
            over = measured - np.where(agreed == MISSING, 0, agreed)
            known_ = (measured != MISSING) & (agreed != MISSING)
            if happening.from_zero:
                # as settlement does: all is beyond only where no part of the month has anything reserved
                reserving = month.parts["supply_point"][_measured_and_agreed(month.parts, happening)[1] != MISSING]
                known_ |= (measured != MISSING) & ~np.isin(parts["supply_point"], reserving)
            least = KILOWATT if happening.reserved else KILOVARH
            alike = {each.rate for each in happenings if happening.group and each.group == happening.group}
            bits = sum(2 << month.slots.index(rate) for rate in alike | {happening.rate})
            billed = month.covers["supply_point"][(month.covers["mask"] & bits) != 0]
            chosen = np.flatnonzero(
                np.isin(kind, kinds) & known_ & (over >= least) & ~np.isin(parts["supply_point"], billed)
            )
            # of several parts of a point the one that is most beyond
            order = chosen[np.lexsort((-over[chosen], parts["supply_point"][chosen]))]
            lone = order[np.unique(parts["supply_point"][order], return_index=True)[1]]
            points, days = parts["supply_point"][lone], parts["end_"][lone] - parts["first"][lone]
            values = _days(month, points, parts["first"][lone], days)
            values |= _named(month, np.full(len(lone), happening.rate, dtype=np.int64))
            values |= {
                "measured": Value(Kind.DECIMAL, measured[lone]),
                "agreed": Value(Kind.DECIMAL, agreed[lone]),
                "input": Value(Kind.LINK, parts["input"][lone], ("settlement_input",)),
            }
            yield findings(points, Result.ERROR, HAPPENED, values, about=Subject.SUPPLY_POINT)

    def _twice(self) -> Findings:
        """A component by a meter that two bases have in common; what check 10 calls a duplicate, of a whole month."""
        lines = self._month.lines
        keys = [lines["supply_point"], lines["rate"]]
        one, other = match(keys, keys)
        first = np.maximum(lines["first"][one], lines["first"][other])
        days = np.minimum(lines["end_"][one], lines["end_"][other]) - first
        by_hand = (lines["by_hand"][one] == 1) | (lines["by_hand"][other] == 1)
        alike = by_hand | (lines["component"][one] == lines["component"][other])
        chosen = np.flatnonzero((lines["basis"][one] < lines["basis"][other]) & (days > 0) & alike)
        meters = maybe_same_meter(lines["basis"][one[chosen]], lines["basis"][other[chosen]], self._month.measured)
        chosen = chosen[by_hand[chosen] | meters]
        one, other = one[chosen], other[chosen]
        points = lines["supply_point"][one]
        values = _days(self._month, points, first[chosen], days[chosen]) | _named(self._month, lines["rate"][one])
        values["basis"] = Value(Kind.LINK, lines["basis"][one], ("billing_basis",))
        values["other"] = Value(Kind.LINK, lines["basis"][other], ("billing_basis",))
        # of two drafts only one can be approved
        draft = (lines["draft"][one] == 1) | (lines["draft"][other] == 1)
        results = np.where(draft, Result.WARNING, Result.ERROR)
        return findings(points, results, TWICE, values, about=Subject.SUPPLY_POINT)

    def _services(self, excused: Numbers) -> Findings:
        wanted, others = self._month.services, self._month.others
        wanted = wanted.take(~np.isin(wanted["supply_point"], excused))
        days = covered_days([wanted["supply_point"], wanted["rate"]], wanted,
                            [others["supply_point"], others["rate"]], others)  # fmt: skip
        lacking = wanted["end_"] - wanted["first"] - days
        chosen = np.flatnonzero(lacking > 0)
        points = wanted["supply_point"][chosen]
        values = _days(self._month, points, wanted["first"][chosen], lacking[chosen])
        values["rate"] = Value(Kind.COUNT, wanted["rate"][chosen])
        return findings(points, Result.ERROR, SERVICE, values, about=Subject.SUPPLY_POINT)


def _measured_and_agreed(parts: Frame, happening: Happening) -> tuple[Numbers, Numbers]:
    """What was measured of each part, and the sum of what was agreed; MISSING where there is none."""
    measured = np.full(len(parts), MISSING, dtype=np.int64)
    for name in reversed(happening.measured):
        measured = np.where(parts[name] == MISSING, measured, parts[name])
    agreed = np.full(len(parts), MISSING, dtype=np.int64)
    for name in happening.reserved:
        more = np.where(agreed == MISSING, 0, agreed) + np.where(parts[name] == MISSING, 0, parts[name])
        agreed = np.where((agreed == MISSING) & (parts[name] == MISSING), MISSING, more)
    return measured, agreed


def _bare(month: BilledMonth) -> list[Findings]:
    """Days without an item: an error where something was taken, else a reason."""
    bare = uncontracted(month.points, month.items)
    places, others = match([bare["supply_point"], bare["first"]], [month.taken["supply_point"], month.taken["first"]])
    days, rise = (np.full(len(bare), MISSING, dtype=np.int64) for _ in range(2))
    days[places], rise[places] = month.taken["days"][others], month.taken["rise"][others]
    took = (days > 0) | (rise > 0)
    values = _days(month, bare["supply_point"], bare["first"], bare["end_"] - bare["first"])
    values |= {"taken": Value(Kind.COUNT, days), "rise": Value(Kind.COUNT, rise)}
    results = np.where(took, Result.ERROR, Result.INFO)
    messages = np.where(took, TAKEN, NO_CONTRACT)
    return [findings(bare["supply_point"], results, messages, values, about=Subject.SUPPLY_POINT)]


def _on_rows(found: Findings, month: BilledMonth) -> Findings | None:
    """What is wrong on the calendar rows of the contracts under which it arises."""
    wrong = np.flatnonzero(found.results >= Result.WARNING)
    if not len(wrong):
        return None
    first = found.values["first"].data[wrong] - (month.start - _EPOCH).days
    at = Frame({"supply_point": found.subjects[wrong], "first": first, "end_": first + 1})
    contract = taken(month.items["contract"], holding(at, month.items))
    rows = Frame({**month.rows.columns, "supply_point": month.rows["contract"]})
    row = holding(Frame({**at.columns, "supply_point": contract}), rows)
    there = np.flatnonzero(row >= 0)
    chosen = wrong[there]
    values = {name: value.take(chosen) for name, value in found.values.items()}
    values["supply_point"] = Value(Kind.LINK, found.subjects[chosen], ("supply_point",))
    return findings(
        month.rows["calendar_row"][row[there]], found.results[chosen], found.messages[chosen], values,
        about=Subject.CALENDAR_ROW, group=REGULAR,
    )  # fmt: skip


def _by_point(items: Frame, terms: Frame) -> Frame:
    """The parties of the contracts of items, by point."""
    places, others = match([items["contract"]], [terms["contract"]])
    first = np.maximum(items["first"][places], terms["first"][others])
    end = np.minimum(items["end_"][places], terms["end_"][others])
    columns = {name: terms[name][others] for name in ("customer", "months", "ends")}
    found = Frame({"supply_point": items["supply_point"][places], "first": first, "end_": end, **columns})
    return found.take(np.flatnonzero(first < end))


def _borders(month: BilledMonth) -> set[int]:
    """The days inside the month on which a package, a price or a rule begins or ends to hold."""
    days = {day for package in month.packages for day in package.borders}
    days |= {date.fromisoformat(day) for package in month.packages for rule in package.file.rules
             for day in rule.valid or ()}  # fmt: skip
    return {count for day in days if 0 < (count := (day - month.start).days) < month.days}


def _law(month: BilledMonth, commodity: str, operator: str, day: date) -> Law | None:
    for package in month.packages:
        first, end = package.valid
        if package.commodity == commodity and operator in package.file.operators and first <= day < end:
            return law_of(package)
    return None


def _two_tariffs(law: Law | None, point: TariffPoint) -> bool:
    try:
        return law is not None and "NT" in law.registers(point)
    except CannotPriceError:
        return False


def _days(month: BilledMonth, points: Numbers, first: Numbers, days: Numbers) -> dict[str, Value]:
    return {
        "days": Value(Kind.COUNT, days),
        "first": Value(Kind.DAY, first + (month.start - _EPOCH).days),
        "ean": Value(Kind.LINK, points, ("supply_point",)),
    }


def _named(month: BilledMonth, rates: Numbers) -> dict[str, Value]:
    words = tuple(month.names[rate] for rate in month.slots)
    place = np.searchsorted(np.array(month.slots, dtype=np.int64), rates)
    return {"rate": Value(Kind.COUNT, rates), "component": Value(Kind.WORD, place.astype(np.int64), words)}


def _first_of(keys: Numbers, others: Numbers, values: Numbers) -> Numbers:
    found: NDArray[np.int64] = np.full(len(keys), MISSING, dtype=np.int64)
    places, at = match([keys], [others])
    found[places] = values[at]
    return found
