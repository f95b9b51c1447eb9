"""Check 8: intervals and prices against the received distribution invoice (Kontrola intervalů a cen přijaté faktury).

Ours: exactly 1 CZK and exactly 1 % are OK, the percentage is of the received amount (of which nothing is nothing: any
difference from 0 is too much), a basis within one calendar month is monthly. The received invoice tells one item type
from another, not one stock item: bases of stock items with the same type are added.
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, ClassVar, Final

import numpy as np
from numpy.typing import NDArray

from central.checks.frame import MICRO, MISSING, Frame, Numbers, group, join, totals
from central.checks.framework import Asked, Definition, Findings, Kind, Parameter, Text, Value, findings
from central.checks.overlaps import Meeting, equal, exact, meet, together
from central.checks.percent import more_than
from central.checks.received_items import RATES, WHICH, chosen
from central.checks.received_lines import WALKED, Received, read_received
from central.checks.verdict import GROUPS, Result

NO_CARD, NO_TYPE, EQUAL, SPLIT, PARTLY, NO_LINE_OF_MONTH, NO_LINE = range(7)
ITEM_OK, ITEM_CROWNS, ITEM_PERCENT, ITEM_BOTH, POINT_OK, POINT_PERCENT, NO_CURRENCY = range(7, 14)
RESULTS: Final = np.array(
    [
        Result.ERROR, Result.ERROR, Result.OK, Result.OK, Result.ERROR, Result.WARNING, Result.ERROR,
        Result.OK, Result.ERROR, Result.ERROR, Result.ERROR, Result.OK, Result.ERROR, Result.WARNING,
    ],
    dtype=np.int8,
)  # fmt: skip
"""By message."""
_SUMMED: Final = ("supply_point", "key", "amount", "crowns", "first", "end_", "sort")


_ITEM: Final = Text(
    "Kmenová karta {card}, místo celkem: podklady {ours} Kč, přijatá faktura {invoice} {theirs} Kč bez DPH",
    "Stock item {card}, the point in all: bases {ours} CZK, received invoice {invoice} {theirs} CZK without VAT",
)
_POINT: Final = Text(
    "Celé odběrné místo: podklady {ours} Kč, přijatá faktura {invoice} {theirs} Kč bez DPH",
    "The whole supply point: bases {ours} CZK, received invoice {invoice} {theirs} CZK without VAT",
)


def _over(about: Text, cs: str, en: str) -> Text:
    return Text(
        f"{about.cs}; rozdíl {{difference}} Kč je větší než {cs}.",
        f"{about.en}; the difference of {{difference}} CZK is more than {en}.",
    )


class ReceivedInvoices:
    """What we bill for distribution is what we are billed."""

    definition: ClassVar[Definition] = Definition(
        number=8,
        name=Text(
            "Kontrola intervalů a cen přijaté faktury za distribuci",
            "Intervals and prices against the received distribution invoice",
        ),
        rule=Text(
            "Podklady za distribuci proti řádkům přijatých faktur téhož místa. Kmenová karta bez Typu položky faktury "
            "OTE: chyba. Interval: shodný, nebo kryje-li jej více podkladů přesně, OK; částečný překryv chyba; žádný "
            "řádek u podkladu v mezích měsíce varování, jinak chyba. Částka za kmenovou kartu a místo bez DPH: rozdíl "
            "nad 1 Kč nebo nad 1 % přijaté částky chyba, jinak OK. Částka za celé místo: nad 1 % chyba, jinak OK.",
            "Bases of distribution against the lines of received invoices for the same point. Stock item without an "
            "OTE invoice item type: error. Interval: equal, or covered exactly by several bases, OK; overlap in part "
            "error; no line for a basis within a month warning, else error. Amount by stock item and point without "
            "VAT: a difference of more than 1 CZK, or more than 1 % of the received amount, error, else OK. Amount of "
            "the whole point: more than 1 % error, else OK.",
        ),
        group="Aktualizace fakturačních podkladů",
        groups=("regular", "accrual", "annual"),
        statements=("regular", "annual"),
        parameters=(
            WHICH,
            Parameter(
                "crowns",
                Text(
                    "Největší rozdíl částky za kmenovou kartu [Kč].",
                    "Largest difference of the amount of a stock item [CZK].",
                ),
                Decimal(1),
            ),
            Parameter(
                "percent",
                Text(
                    "Největší rozdíl v procentech přijaté částky.",
                    "Largest difference in percent of the received amount.",
                ),
                Decimal(1),
            ),
        ),
        messages=(
            Text(
                "Sazba {rate} nemá kmenovou kartu zboží. Založte ji.", "The rate {rate} has no stock item. Create one."
            ),
            Text(
                "Kmenová karta zboží {card} nemá nastaven Typ položky faktury OTE. Doplňte jej.",
                "The stock item {card} has no OTE invoice item type. Set it.",
            ),
            Text(
                "Interval od {first} do {end} souhlasí s přijatou fakturou {invoice}, řádek {line}.",
                "The interval from {first} to {end} is that of the received invoice {invoice}, line {line}.",
            ),
            Text(
                "Interval od {first} do {end} s ostatními podklady přesně kryje přijatou fakturu {invoice}, řádek "
                "{line}: od {their_first} do {their_end}.",
                "The interval from {first} to {end} covers with other bases exactly the received invoice {invoice}, "
                "line {line}: from {their_first} to {their_end}.",
            ),
            Text(
                "Interval od {first} do {end} se jen částečně překrývá s přijatou fakturou {invoice}, řádek {line}: od "
                "{their_first} do {their_end}. Fakturuje se více, nebo méně dnů.",
                "The interval from {first} to {end} overlaps only in part with the received invoice {invoice}, line "
                "{line}: from {their_first} to {their_end}. More days are billed, or fewer.",
            ),
            Text(
                "K podkladu za měsíční fakturaci od {first} do {end} není žádná položka přijaté faktury.",
                "The received invoices have no line for the monthly basis from {first} to {end}.",
            ),
            Text(
                "K podkladu od {first} do {end}, který není za měsíc, není žádná položka přijaté faktury.",
                "The received invoices have no line for the basis from {first} to {end}, which is not monthly.",
            ),
            Text(f"{_ITEM.cs}.", f"{_ITEM.en}."),
            _over(_ITEM, "{crowns} Kč", "{crowns} CZK"),
            _over(_ITEM, "{percent} %", "{percent} %"),
            _over(_ITEM, "{crowns} Kč i než {percent} %", "{crowns} CZK and than {percent} %"),
            Text(f"{_POINT.cs}.", f"{_POINT.en}."),
            _over(_POINT, "{percent} %", "{percent} %"),
            Text(
                "Kontrola částek se nemohla provést: podklady a přijatá faktura {invoice} nemají společnou měnu.",
                "The check of amounts could not run: the bases and the received invoice {invoice} have no currency in "
                "common.",
            ),
        ),
    )

    def read(self, asked: Asked, bases: Frame) -> Received:
        """Lines of received invoices, stock items, and what else is billed of the same days."""
        return read_received(asked, bases)

    def verdict(self, bases: Frame, read: Received, parameters: Mapping[str, Any]) -> Sequence[Findings]:
        """Of each basis the stock item where it lacks something, the interval, and both amounts where there are
        lines."""
        judged = chosen(bases.take(np.isin(bases["service"], WALKED)), RATES, read.own, parameters)
        if not len(judged):
            return []
        cards = read.cards.take(np.searchsorted(read.cards["id"], judged["id"]))
        priced = np.array([word.startswith("Kč") for word in judged.words["price_unit"]], dtype=np.int64)
        mine = {**judged.columns, "key": cards["key"], "crowns": priced[judged["price_unit"]]}
        ours = join([_summed(Frame(mine)), _summed(read.beside)])
        meeting = meet(ours, read.lines)
        card = Value(Kind.WORD, cards["card"], read.codes)
        return [
            _about_cards(judged, cards, read.codes),
            _about_intervals(judged, meeting),
            _about_items(judged, meeting, card, cards["item"], parameters),
            _about_points(judged, meeting, parameters),
        ]


def _summed(bases: Frame) -> Frame:
    """Bases with the sort of what is added together: a service, accruals by themselves."""
    accrual = np.isin(bases["statement_type"], sorted(GROUPS["accrual"]))
    return Frame({**{name: bases[name] for name in _SUMMED[:-1]}, "sort": bases["service"] * 2 + accrual})


def _about_cards(judged: Frame, cards: Frame, codes: tuple[str, ...]) -> Findings:
    lacks = cards["type"] == MISSING
    messages = np.where(cards["item"][lacks] == MISSING, NO_CARD, NO_TYPE)
    values = {
        "rate": Value(Kind.COUNT, cards["rate"][lacks]),
        "card": Value(Kind.WORD, cards["card"][lacks], codes),
        "item": Value(Kind.LINK, cards["item"][lacks], ("stock_item",)),
    }
    return findings(judged["id"][lacks], RESULTS[messages], messages, values)


def _about_intervals(judged: Frame, meeting: Meeting) -> Findings:
    many = len(judged)
    met, same = meeting.met, equal(meeting)
    split = exact(meeting, met & ~same)[:many]
    within = _month(judged["first"]) == _month(judged["end_"] - 1)
    without = np.where(within, NO_LINE_OF_MONTH, NO_LINE)
    messages = np.where(same[:many], EQUAL, np.where(split, SPLIT, np.where(met[:many], PARTLY, without)))
    line = np.full(len(meeting.bases), -1, dtype=np.intp)
    places, others = meeting.first_pairs()
    line[places] = others
    values = {
        "first": Value(Kind.DAY, judged["first"]),
        "end": Value(Kind.DAY, judged["end_"]),
        "invoice": Value(Kind.LINK, _of_line(meeting.lines, "invoice", line[:many]), ("received_invoice",)),
        "line": Value(Kind.COUNT, _of_line(meeting.lines, "place", line[:many])),
        "their_first": Value(Kind.DAY, _of_line(meeting.lines, "first", line[:many])),
        "their_end": Value(Kind.DAY, _of_line(meeting.lines, "end_", line[:many])),
    }
    return findings(judged["id"], RESULTS[messages], messages, values)


def _about_items(
    judged: Frame, meeting: Meeting, card: Value, item: Numbers, parameters: Mapping[str, Any]
) -> Findings:
    bases, lines, met = meeting.bases, meeting.lines, meeting.met
    width = int(bases["sort"].max()) + 1
    number, first = group([bases["code"] * width + bases["sort"]])
    # a line counts once for every sort of bases that it meets
    pair = number[meeting.places].astype(np.int64), meeting.others.astype(np.int64)
    _, once = group(pair)
    compared = _Sums(len(first), number, met, pair[0][once], meeting.others[once], bases, lines)
    told = np.flatnonzero(met[: len(judged)])
    groups = number[told]
    crowns, percent = compared.over(parameters)
    messages = np.where(crowns, np.where(percent, ITEM_BOTH, ITEM_CROWNS), np.where(percent, ITEM_PERCENT, ITEM_OK))
    messages = np.where(compared.strange, NO_CURRENCY, messages)[groups]
    values = {
        "card": card.take(told),
        "item": Value(Kind.LINK, item[told], ("stock_item",)),
        **compared.values(groups, parameters),
    }
    return findings(judged["id"][told], RESULTS[messages], messages, values)


def _about_points(judged: Frame, meeting: Meeting, parameters: Mapping[str, Any]) -> Findings:
    bases, lines = meeting.bases, meeting.lines
    met, somebody, others = together(bases, lines)
    number, first = group([bases["supply_point"] * (int(bases["sort"].max()) + 1) + bases["sort"]])
    compared = _Sums(len(first), number, met, number[somebody], others, bases, lines)
    told = np.flatnonzero(met[: len(judged)])
    groups = number[told]
    _, percent = compared.over(parameters)
    messages = np.where(compared.strange, NO_CURRENCY, np.where(percent, POINT_PERCENT, POINT_OK))[groups]
    return findings(judged["id"][told], RESULTS[messages], messages, compared.values(groups, parameters))


class _Sums:
    """Amounts of groups: of the bases that `counted` chooses, by `number`, and of lines, each of a group once."""

    def __init__(
        self, many: int, number: NDArray[np.intp], counted: NDArray[np.bool_], of_line: NDArray[Any],
        line: NDArray[np.intp], bases: Frame, lines: Frame,
    ) -> None:  # fmt: skip
        self.ours = totals(number[counted], bases["amount"][counted], many)
        self.theirs = totals(of_line, lines["net"][line], many)
        self.difference = np.abs(self.ours - self.theirs)
        self.strange = np.zeros(many, dtype=np.bool_)
        """No currency in common."""
        self.strange[number[counted & (bases["crowns"] == 0)]] = True
        self.strange[of_line[lines["crowns"][line] == 0]] = True
        self.invoice = np.full(many, MISSING, dtype=np.int64)
        self.invoice[of_line[::-1]] = lines["invoice"][line][::-1]

    def over(self, parameters: Mapping[str, Any]) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Whether the difference is more than so many crowns; than so many percent of what was received."""
        crowns = self.difference > int(parameters["crowns"] * 100)
        return crowns, more_than(self.difference, self.theirs, parameters["percent"])

    def values(self, groups: NDArray[np.intp], parameters: Mapping[str, Any]) -> dict[str, Value]:
        def limit(name: str) -> Value:
            return Value(Kind.DECIMAL, np.full(len(groups), int(parameters[name] * MICRO), dtype=np.int64))

        return {
            "ours": Value(Kind.MONEY, self.ours[groups]),
            "theirs": Value(Kind.MONEY, self.theirs[groups]),
            "difference": Value(Kind.MONEY, self.difference[groups]),
            "invoice": Value(Kind.LINK, self.invoice[groups], ("received_invoice",)),
            "crowns": limit("crowns"),
            "percent": limit("percent"),
        }


def _month(days: Numbers) -> NDArray[Any]:
    return days.astype("datetime64[D]").astype("datetime64[M]")


def _of_line(lines: Frame, name: str, line: NDArray[np.intp]) -> Numbers:
    """A column of lines; MISSING where there is no line (-1)."""
    return np.concatenate((lines[name], [MISSING]))[line]
