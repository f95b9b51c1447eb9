"""What own services are billed by: channels, formulas, and what is left of a node of a collection. Read and counted.

Everything is read for many points at once, but for formulas, which are computed once for each text and stretch of days.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from fractions import Fraction
from typing import Any

from sqlalchemy import Connection, text

from central.network.collections import Node, nodes_between
from central.platform.arrays import int_array
from central.platform.errors import BadInput
from central.readings.formulas.total import Total, total_of
from central.readings.node_balance import children_of
from central.readings.profiles import read_newest
from central.settlement.cuts import Held
from central.settlement.evidence import Wanted, read_states
from central.settlement.facts import ChannelFacts, PointFacts
from central.settlement.measured import DaySums, NotMeasuredError, RegisterPeriod, register_consumption, sum_days
from central.settlement.model import CannotPriceError
from central.settlement.own import Attached
from central.settlement.quantities import Waiting, state_source
from central.settlement.registry import read_channels
from central.settlement.services import Counted, stretches
from central.settlement.splitting import NoWeightError, split_units
from shared.metering_day import MeteringDay
from shared.quantities import Commodity

PLACES = text("""
    -- whose the channels are, of which commodity, and the floor area of the point's object
    SELECT ch.id, ch.commodity, ch.supply_point, o.area_m2
      FROM channel ch
      LEFT JOIN supply_point sp ON sp.id = ch.supply_point
      LEFT JOIN site_object o ON o.id = sp.site_object
     WHERE ch.id = ANY (CAST(:channels AS bigint[]))
""")


WaitingOf = Callable[[Sequence[int]], Mapping[int, Waiting]]
"""What of some channels must not be settled yet."""


@dataclass(frozen=True, slots=True)
class Place:
    """Whose a channel is."""

    commodity: Commodity
    supply_point: int | None
    area_m2: Decimal | None


@dataclass(frozen=True)
class Counts:
    """All that services of some points are counted by."""

    channels: Mapping[int, ChannelFacts] = field(default_factory=dict)
    places: Mapping[int, Place] = field(default_factory=dict)
    days: Mapping[Commodity, DaySums] = field(default_factory=dict)
    states: Mapping[tuple[int, date, date], Sequence[RegisterPeriod]] = field(default_factory=dict)
    trees: Mapping[int, Sequence[Node]] = field(default_factory=dict)
    totals: Mapping[tuple[str, date, date], Total | BadInput] = field(default_factory=dict)
    """What formulas come to, or why one cannot be computed any more."""
    points: Mapping[int, int] = field(default_factory=dict)
    """The supply point of each attached service."""
    waiting: Mapping[int, Waiting] = field(default_factory=dict)

    def count(self, attached: Attached, first: date, end: date) -> Counted:
        """A service's quantity over days [first, end); NotMeasuredError where something is missing."""
        if attached.channel is not None:
            return self._of_channel(attached.channel, first, end)
        if attached.formula is not None:
            return self._of_formula(attached.formula, first, end)
        return self._of_node(attached, first, end)

    def _of_channel(self, number: int, first: date, end: date) -> Counted:
        channel = self.channels[number]
        told = f"kanál {channel.direction} ({number})"
        if channel.kind == "state":
            periods = self.states.get((number, first, end), ())
            units = register_consumption(periods, told)
            source = {**self._source(number, "state", first, end), **state_source(channel, periods)}
            return Counted(_basic(units, channel.exponent), channel.unit, told, (source,))
        units = self._sum(number, first, end)
        source = self._source(number, "profile", first, end)
        return Counted(_basic(units, channel.exponent), channel.unit, told, (source,))

    def _of_formula(self, formula: str, first: date, end: date) -> Counted:
        total = self.totals[formula, first, end]
        if isinstance(total, BadInput):
            raise NotMeasuredError(f"vzorec {formula} nelze spočítat: {total}", first)
        for channel in sorted(total.versions):
            self._require_settled(channel)
        if total.missing_day is not None:
            raise NotMeasuredError(
                f"vzorec {formula}: chybí hodnoty, první dne {total.missing_day}.", total.missing_day
            )
        sources = tuple(
            {"kind": "profile", "channel": channel, "first": first.isoformat(), "versions": versions}
            for channel, versions in sorted(total.versions.items())
        )
        return Counted(total.value, total.unit, f"vzorec {formula}", sources)

    def _of_node(self, attached: Attached, first: date, end: date) -> Counted:
        nodes = self.trees[attached.collection or 0]
        below: dict[str, list[Node]] = defaultdict(list)
        for node in nodes:
            if node.parent is not None:
                below[node.parent].append(node)
        measured = _measured_by(attached, nodes, first, end)
        unit = self.channels[measured[0][1]].unit
        rest, children = 0, defaultdict[int, int](int)
        lowest = min(channel.exponent for channel in self._tree_channels(attached, first, end))
        for node, channel in measured:
            begin, stop = max(first, node.first), min(end, node.end)
            rest += self._scaled(channel, begin, stop, lowest)
            for child, sign, since, until in children_of(node, below, begin, stop):
                other = self.channels[child].unit
                if other != unit:
                    raise NotMeasuredError(
                        f"uzel {attached.node} se měří v {unit}, pod ním je kanál {child} v {other}; "
                        "rozdíl nelze spočítat.",
                        since,
                    )
                energy = sign * self._scaled(child, since, until, lowest)
                rest -= energy
                children[child] += energy
        if rest < 0:
            raise NotMeasuredError(
                f"uzel {attached.node}: podřízená měřidla naměřila od {first} do {end} víc než uzel.",
                first,
            )
        share, told = self._share(attached, rest, children)
        inputs = (("rest", str(_basic(rest, lowest))), ("share", told))
        sources = tuple(
            self._source(channel, "profile", first, end)
            for channel in sorted({*children, *(channel for _, channel in measured)})
        )
        text = f"uzel {attached.node} bez podřízených měřidel, {told}"
        return Counted(share * Fraction(10) ** lowest, unit, text, sources, inputs)

    def _share(self, attached: Attached, rest: int, children: Mapping[int, int]) -> tuple[Fraction, str]:
        """The item's share of a rest, and how it is shared; shares of all points sum to the rest."""
        if attached.share == "whole":
            return Fraction(rest), "celý zbytek"
        if attached.share == "percent":
            percent = attached.percent or Decimal(0)
            return rest * Fraction(percent) / 100, f"podíl {percent.normalize() + 0:f} %".replace(".", ",")
        order = sorted(children)
        by_area = attached.share == "area"
        weights = [self._area(child, order) if by_area else Fraction(max(0, children[child])) for child in order]
        owner = self.points[attached.id]
        if not any(self.places[child].supply_point == owner for child in order):
            raise NotMeasuredError(f"místo není pod uzlem {attached.node}; zbytek mu nelze přiřadit.")
        try:
            parts = split_units(rest, weights)
        except NoWeightError:
            raise NotMeasuredError(
                f"uzel {attached.node}: zbytek není podle čeho rozdělit, všechny váhy jsou 0."
            ) from None
        share = sum(part for part, child in zip(parts, order, strict=True) if self.places[child].supply_point == owner)
        return Fraction(share), "podíl podle plochy" if by_area else "podíl podle odběru"

    def _area(self, child: int, order: Sequence[int]) -> Fraction:
        """The area of the object of a channel's point; two channels of one point share it."""
        place = self.places[child]
        if place.area_m2 is None:
            raise NotMeasuredError(f"objekt místa s kanálem {child} nemá plochu; doplňte ji.")
        return Fraction(place.area_m2) / sum(self.places[each].supply_point == place.supply_point for each in order)

    def _tree_channels(self, attached: Attached, first: date, end: date) -> list[ChannelFacts]:
        return [
            self.channels[node.channel]
            for node in self.trees[attached.collection or 0]
            if node.channel is not None and node.overlaps(first, end)
        ]

    def _scaled(self, channel: int, first: date, end: date, exponent: int) -> int:
        return int(self._sum(channel, first, end) * 10 ** (self.channels[channel].exponent - exponent))

    def _sum(self, channel: int, first: date, end: date) -> int:
        self._require_settled(channel)
        total = self.days[self.places[channel].commodity].between(channel, first, end)
        if total.missing_day is not None:
            raise NotMeasuredError(
                f"kanál {self.channels[channel].direction} ({channel}): chybí {total.missing_count} hodnot, první dne "
                f"{total.missing_day}.",
                total.missing_day,
            )
        return total.total

    def _require_settled(self, channel: int) -> None:
        waits = self.waiting.get(channel)
        if waits is not None:
            raise NotMeasuredError(f"kanál {channel} má dny, {waits.what}, první {waits.day}.", waits.day)

    def _source(self, channel: int, kind: str, first: date, end: date) -> dict[str, Any]:
        facts, place = self.channels[channel], self.places[channel]
        source = {
            "kind": kind,
            "channel": channel,
            "direction": facts.direction,
            "from": MeteringDay(place.commodity, first).start.isoformat(),
            "to": MeteringDay(place.commodity, end).start.isoformat(),
        }
        if kind == "profile":
            source["versions"] = self.days[place.commodity].versions(channel, first, end)
        return source


def read_counts(
    connection: Connection, facts: Iterable[PointFacts], first: date, end: date, waiting_of: WaitingOf
) -> Counts:
    """All that the services of these points are counted by in [first, end); `waiting_of` tells what must wait."""
    wanted = list(_wanted(facts))
    if not wanted:
        return Counts()
    counted = [held.fact for _, held, _, _ in wanted]
    trees = {
        each: nodes_between(connection, each, first, end)
        for each in sorted({attached.collection for attached in counted if attached.collection is not None})
    }
    numbers = {attached.channel for attached in counted if attached.channel is not None}
    numbers |= {node.channel for nodes in trees.values() for node in nodes if node.channel is not None}
    bounds = (MeteringDay(Commodity.ELECTRICITY, first).start, MeteringDay(Commodity.GAS, end).start)
    channels = read_channels(connection, sorted(numbers), *bounds)
    places = {
        row.id: Place(Commodity(row.commodity), row.supply_point, row.area_m2)
        for row in connection.execute(PLACES, {"channels": int_array(sorted(channels))})
    }
    days = {}
    for commodity in Commodity:
        profiled = sorted(
            number for number, channel in channels.items()
            if channel.kind == "interval" and places[number].commodity is commodity
        )  # fmt: skip
        if profiled:
            days[commodity] = sum_days(read_newest(connection, commodity, profiled, first, end))
    registers: dict[tuple[int, date, date], Wanted] = {}
    totals: dict[tuple[str, date, date], Total | BadInput] = {}
    for _, held, begin, stop in wanted:
        number, formula = held.fact.channel, held.fact.formula
        if number is not None and channels[number].kind == "state":
            commodity = places[number].commodity
            since, until = MeteringDay(commodity, begin).start, MeteringDay(commodity, stop).start
            registers[number, begin, stop] = Wanted(channels[number], since, until)
        if formula is not None and (formula, begin, stop) not in totals:
            try:
                totals[formula, begin, stop] = total_of(connection, formula, begin, stop)
            except BadInput as error:  # what it names is there no more: told of the points that it bills
                totals[formula, begin, stop] = error
    read = read_states(connection, list(registers.values()), {})
    states = {key: read.get(each.key, ()) for key, each in registers.items()}
    points = {held.fact.id: point for point, held, _, _ in wanted}
    measured = {channel for total in totals.values() if isinstance(total, Total) for channel in total.versions}
    return Counts(channels, places, days, states, trees, totals, points, waiting_of(sorted({*channels, *measured})))


def _wanted(facts: Iterable[PointFacts]) -> Iterable[tuple[int, Held[Attached], date, date]]:
    """The supply point and days of every service that is counted, cut as its lines will be."""
    for point in facts:
        for tenure in (*point.tenures(), *point.supply_tenures()):
            for held in point.record.own.services.get(tenure.last.item.id, ()):
                if held.fact.quantity in ("fixed", "area"):
                    continue
                try:
                    cut = stretches(held, tenure.first, tenure.end)
                except CannotPriceError:  # told when the point is settled
                    continue
                for begin, stop, _ in cut:
                    yield point.supply_point, held, begin, stop


def _measured_by(attached: Attached, nodes: Sequence[Node], first: date, end: date) -> list[tuple[Node, int]]:
    """The node of a service with its channel, one after another over all days of [first, end)."""
    own = sorted(
        (node for node in nodes if node.name == attached.node and node.overlaps(first, end)),
        key=lambda node: node.first,
    )
    measured: list[tuple[Node, int]] = []
    at = first
    for node in own:
        if node.first > at:
            break
        if node.channel is None:
            raise NotMeasuredError(f"uzel {attached.node} nemá od {at} měřicí kanál.", at)
        measured.append((node, node.channel))
        at = node.end
    if at < end:
        raise NotMeasuredError(f"uzel {attached.node} není v kolekci po celé období od {first} do {end}.", at)
    return measured


def _basic(units: int, exponent: int) -> Fraction:
    return Fraction(units) * Fraction(10) ** exponent
