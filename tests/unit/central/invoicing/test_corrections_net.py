"""Documents about a document: together they say the VAT of what stands, and whole cancellings are told by lines."""

from collections.abc import Sequence
from decimal import ROUND_HALF_UP, Decimal
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from central.invoicing.compose import About, compose
from central.invoicing.document import VatRow, recapitulate, vat_rows
from central.invoicing.selection import Order, orders
from central.invoicing.standing import Billed, Said, Standing, after, giving_back, vat_before
from tests.unit.central.invoicing.test_documents import FIRM, SUPPLIER, TERMS, bases, high_voltage

D = Decimal
VAT = D("21.00")
REGULAR, CANCELLING, CORRECTED = 0, 7, 8
PRELIMINARY, CORRECTS_PRELIMINARY, CANCELS_PRELIMINARY = 2, 9, 12
NEGATIVE, FINAL, CANCELS_FINAL, CORRECTS_FINAL = 5, 6, 14, 10
amounts = st.decimals(D("-999.99"), D("999.99"), places=2)
percents = st.sampled_from([D("12.00"), D("21.00")])


def basis(identifier: int, amount: Decimal, **said: Any) -> Any:
    """A selected basis as the query gives it."""
    row = {
        "id": identifier, "supply_point": 1, "contract": 1, "contract_kind": "network", "supplier": 1, "payer": 2,
        "amount": amount, "vat_percent": D("21.00"), "statement_type": REGULAR, "statement": "corrective",
        "reason": "oprava", "original": None, "original_supplier": 1, "original_payer": 2, "takes_back": None,
        "original_state": "issued",
    }  # fmt: skip
    return SimpleNamespace(**{**row, **said})


def correction(original: int, lines: Sequence[tuple[Decimal, Decimal]], percent: Decimal = VAT) -> list[Any]:
    """Lines of an original that are taken back, each with what comes in its place."""
    rows = []
    for place, (before, instead) in enumerate(lines):
        number = original * 100 + place * 2
        common = {"original": original, "vat_percent": percent}
        rows.append(basis(number, -before, statement_type=CANCELLING, takes_back=number, **common))
        rows.append(basis(number + 1, instead, statement_type=CORRECTED, **common))
    return rows


@settings(max_examples=150, deadline=None)
@given(
    first=st.lists(amounts, min_size=1, max_size=5),
    later=st.lists(st.tuples(st.integers(0, 4), amounts), min_size=1, max_size=6),
    percent=percents,
)
def test_an_original_and_its_corrections_net_to_the_new_truth(
    first: list[Decimal], later: list[tuple[int, Decimal]], percent: Decimal
) -> None:
    lines = list(first)
    family = vat_rows({percent: sum(lines, D(0))})
    for place, value in later:
        place %= len(lines)
        taken = correction(1, [(lines[place], value)], percent)
        (before,) = vat_before(orders(taken, "contract"), [Said(1, family)]).values()
        family = [*family, *vat_rows({percent: sum((row.amount for row in taken), D(0))}, before)]
        lines[place] = value
    truth = (sum(lines, D(0)) * percent / 100).quantize(D("0.01"), rounding=ROUND_HALF_UP)
    assert sum(row.base for row in family) == sum(lines)
    assert sum(row.vat for row in family) == truth


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_corrections_net_to_the_new_truth_of_each_of_two_payers(data: st.DataObject) -> None:
    """Lines change their amount, and whom they are billed to: each one's documents say what stands for it, VAT too."""
    percent = data.draw(percents, label="rate")
    said: list[Said] = []
    payer_of: dict[int, int] = {}
    lines: list[tuple[int, int, Decimal]] = []
    """By place: the basis that stands, its document and amount."""

    def issue(rows: list[Any]) -> None:
        made = orders(rows, "contract")
        before = vat_before(made, said)
        for place, order in enumerate(made):
            number = len(said) + 1
            assert {payer_of[document] for document in order.about} <= {order.payer}
            assert order.original is None or payer_of[order.original] == order.payer
            sums = {percent: sum((row.amount for row in order.bases), D(0))}
            said.append(Said(number, vat_rows(sums, before.get(place, ())), order.about))
            payer_of[number] = order.payer
            for row in order.bases:
                if row.statement_type != CANCELLING:
                    lines[row.place] = (row.id, number, row.amount)

    count = iter(range(1, 1_000))
    first = data.draw(st.lists(amounts, min_size=1, max_size=4), label="first")
    lines += [(0, 0, D(0))] * len(first)
    issue([basis(next(count), amount, vat_percent=percent, place=place) for place, amount in enumerate(first)])
    for _ in range(data.draw(st.integers(1, 5), label="acts")):
        rows = []
        for place in sorted(data.draw(st.sets(st.integers(0, len(first) - 1), min_size=1), label="places")):
            taken, document, amount = lines[place]
            named = {
                "takes_back": taken, "original": document, "original_payer": payer_of[document],
                "vat_percent": percent, "place": place,
            }  # fmt: skip
            back = {"statement_type": CANCELLING, "payer": payer_of[document]}
            rows.append(basis(next(count), -amount, **named, **back))
            instead = {"statement_type": CORRECTED, "payer": data.draw(st.sampled_from([2, 3]), label="payer")}
            rows.append(basis(next(count), data.draw(amounts, label="amount"), **named, **instead))
        issue(data.draw(st.permutations(rows), label="order"))
    for payer in (2, 3):
        printed = [row for each in said if payer_of[each.document] == payer for row in each.rows]
        truth = sum((amount for _, document, amount in lines if payer_of[document] == payer), D(0))
        assert sum(row.base for row in printed) == truth
        exact = sum((row.base for row in printed), D(0)) * percent / 100
        statements = sum(1 for each in said if payer_of[each.document] == payer and not each.takes_back)
        # what nobody takes back of another is a document by itself, and rounded by itself
        assert abs(sum((row.vat for row in printed), D(0)) - exact) <= D("0.005") * statements


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_preliminary_documents_and_the_annual_that_settles_them_net_to_the_truth(data: st.DataObject) -> None:
    """Preliminary documents, some corrected, the annual statement that takes them back, and its corrections."""
    rates = [D("12.00"), D("21.00")]
    said: list[Said] = []
    stands: dict[int, tuple[int, Decimal, Decimal]] = {}
    """Lines that stand: by basis the document, rate and amount."""
    count = 0

    def issue(rows: list[Any]) -> int:
        (order,) = made = orders(rows, "contract")
        before = vat_before(made, said).get(0, [])
        sums = {rate: sum((row.amount for row in rows if row.vat_percent == rate), D(0)) for rate in rates}
        used = {rate: base for rate, base in sums.items() if any(row.vat_percent == rate for row in rows)}
        number = len(said) + 1
        said.append(Said(number, vat_rows(used, before), order.about))
        for row in rows:
            stands.pop(row.takes_back, None)
            if row.takes_back is None:
                stands[row.id] = (number, row.vat_percent, row.amount)
        return number

    def line(amount: Decimal, rate: Decimal, statement_type: int, takes: int | None = None) -> Any:
        nonlocal count
        count += 1
        original = None if takes is None else stands[takes][0]
        kind = {"statement_type": statement_type, "statement": "annual"}
        return basis(count, amount, vat_percent=rate, takes_back=takes, original=original, **kind)

    def correct(cancels: int, corrects: int) -> None:
        taken = data.draw(st.sampled_from(sorted(stands)), label="line")
        _, rate, amount = stands[taken]
        rows = [line(-amount, rate, cancels, taken)]
        if data.draw(st.booleans(), label="another in its place"):
            rows.append(line(data.draw(amounts), rate, corrects))
        issue(rows)

    for _ in range(data.draw(st.integers(1, 6), label="months")):
        issue([line(data.draw(amounts), rate, PRELIMINARY) for rate in data.draw(st.sampled_from([rates[:1], rates]))])
        if stands and data.draw(st.booleans(), label="corrected"):
            correct(CANCELS_PRELIMINARY, CORRECTS_PRELIMINARY)
    negative = [line(-amount, rate, NEGATIVE, taken) for taken, (_, rate, amount) in sorted(stands.items())]
    issue([*negative, *(line(data.draw(amounts), rate, FINAL) for rate in rates)])
    for _ in range(data.draw(st.integers(0, 4), label="corrections of the annual")):
        if stands:
            correct(CANCELS_FINAL, CORRECTS_FINAL)
    for rate in rates:
        printed = [row for each in said for row in each.rows if row.percent == rate]
        truth = sum((amount for _, percent, amount in stands.values() if percent == rate), D(0))
        assert sum(row.base for row in printed) == truth
        rounded = (truth * rate / 100).quantize(D("0.01"), rounding=ROUND_HALF_UP)
        assert sum(row.vat for row in printed) == rounded


def test_what_is_not_settled_together_is_no_family_at_that_rate() -> None:
    service, energy = D("12.00"), D("21.00")
    months = [Said(each, [VatRow(rate, D("0.02"), D("0.00")) for rate in (service, energy)]) for each in (1, 2, 3)]
    rows = [
        basis(90 + each, D("-0.02"), statement_type=NEGATIVE, takes_back=each, original=each, vat_percent=energy)
        for each in (1, 2)
    ]
    (before,) = vat_before(orders(rows, "contract"), months).values()
    assert before == [VatRow(energy, D("0.02"), D("0.00"))] * 2


def test_two_corrections_that_each_round_leave_no_haler() -> None:
    # 0.02 at 21 % is 0.0042: by themselves three such differences say no VAT, together they are 0.0126
    family = vat_rows({D(21): D("0.02")})
    for _ in range(2):
        family += vat_rows({D(21): D("0.02")}, family)
    assert [row.vat for row in family] == [D("0.00"), D("0.01"), D("0.00")]
    assert vat_rows({D(21): D("-0.06")}, family) == [VatRow(D(21), D("-0.06"), D("-0.01"))]


def test_nothing_is_never_below_zero() -> None:
    (row,) = vat_rows({VAT: D("-0.02")})
    assert (str(row.vat), str(row.gross)) == ("0.00", "-0.02")


def test_orders_of_one_act_see_those_before_them_in_their_family() -> None:
    rows = [*correction(1, [(D("0.00"), D("0.02"))]), *correction(2, [(D("0.00"), D("0.02"))])]
    made = orders(rows, "contract")
    found = vat_before(made, [Said(1, [VatRow(VAT, D("0.02"), D("0.00"))]), Said(2, [VatRow(VAT, D(0), D(0))], [1])])
    assert [sum(row.base for row in found[place]) for place in (0, 1)] == [D("0.02"), D("0.04")]


def test_a_document_is_taxed_by_the_difference_to_what_stood() -> None:
    lines = bases()
    standing = [VatRow(D("21.00"), D("0.02"), D("0.00"))]
    about = About(kind="corrective", before=standing)
    document = compose("2630000001", SUPPLIER, FIRM, [(high_voltage(), lines)], TERMS, about)
    assert document.vat == ((document.net + D("0.02")) * D("0.21")).quantize(D("0.01"), rounding=ROUND_HALF_UP)


def test_information_has_no_row_of_its_own() -> None:
    lines = compose("2600000001", SUPPLIER, FIRM, [(high_voltage(), bases())], TERMS).lines
    (information,) = [line for line in lines if line.is_information]
    assert recapitulate([information]) == []
    assert [row.percent for row in recapitulate(lines)] == [D("21.00")]


@pytest.mark.parametrize(
    ("takes", "remaining", "whole"),
    [
        ([(1, "-5.00"), (2, "-7.00")], {1, 2}, True),
        ([(2, "-7.00")], {2}, True),  # the other line was taken back before
        ([(1, "-5.00")], {1, 2}, False),
        ([(1, "-5.00")], {1, 2, 3}, False),  # lines 2 and 3 add up to nothing, and still stand
    ],
)
def test_a_document_is_cancelled_when_no_line_of_it_stands(
    takes: list[tuple[int, str]], remaining: set[int], whole: bool
) -> None:
    rows = [
        basis(90 + line, D(amount), statement_type=CANCELLING, takes_back=line, original=7) for line, amount in takes
    ]
    gone, _ = after(orders(rows, "contract"), {7: Billed(None, 3, frozenset(remaining))})
    assert gone == ({7} if whole else set())


def test_what_puts_something_in_the_place_of_all_lines_corrects() -> None:
    made: list[Order] = orders(correction(7, [(D(1), D(2))]), "contract")
    assert after(made, {7: Billed(None, 1, frozenset({700}))}) == (frozenset(), frozenset())


@pytest.mark.parametrize("turned", [False, True])
def test_a_payer_changed_for_the_past_gets_a_statement_and_the_one_before_what_he_was_billed_back(turned: bool) -> None:
    first, second = (
        basis(90 + line, D("-50.00"), statement_type=CANCELLING, takes_back=line, original=7, supply_point=line)
        for line in (1, 2)
    )
    other = basis(93, D("50.00"), statement_type=CORRECTED, takes_back=2, original=7, supply_point=2, payer=3)
    made = orders([other, first, second] if turned else [first, second, other], "contract")
    told = {order.payer: (order.kind, order.original, order.about, order.reason) for order in made}
    assert told == {2: ("cancelling", 7, {7}, "oprava"), 3: ("regular", None, frozenset(), None)}
    gone, _ = after(made, {7: Billed(None, 2, frozenset({1, 2}))})
    standing = Standing({7: SimpleNamespace(payer=2, original=None)}, gone)  # type: ignore[dict-item]  # rows of a query
    assert [made[place].payer for place in giving_back(made, standing).values()] == [2]


ORIGINAL, CORRECTION, SECOND = 7, 8, 9
FAMILIES: list[tuple[str, dict[int, Billed], dict[int, set[int]], set[int], set[int], dict[int, int]]] = [
    # what is said, the family, lines taken by document, what is gone, what is restored, where deductions go back
    (
        "all lines were replaced by a correction, which is cancelled: nothing of the original stands any more",
        {ORIGINAL: Billed(None, 2, frozenset()), CORRECTION: Billed(ORIGINAL, 2, frozenset({21, 22}))},
        {CORRECTION: {21, 22}},
        {ORIGINAL, CORRECTION},
        set(),
        {ORIGINAL: 0, CORRECTION: 0},
    ),
    (
        "the rest of the original is taken back while its correction stands: it is not cancelled",
        {ORIGINAL: Billed(None, 2, frozenset({11})), CORRECTION: Billed(ORIGINAL, 1, frozenset({21}))},
        {ORIGINAL: {11}},
        set(),
        set(),
        {},
    ),
    (
        "a correction that only added is cancelled alone: the original is as it was issued",
        {ORIGINAL: Billed(None, 2, frozenset({11, 12})), CORRECTION: Billed(ORIGINAL, 1, frozenset({21}))},
        {CORRECTION: {21}},
        {CORRECTION},
        {ORIGINAL},
        {CORRECTION: 0},
    ),
    (
        "one that had replaced a line is: that line stays taken back, so the original stays corrected",
        {ORIGINAL: Billed(None, 2, frozenset({11})), CORRECTION: Billed(ORIGINAL, 1, frozenset({21}))},
        {CORRECTION: {21}},
        {CORRECTION},
        set(),
        {CORRECTION: 0},
    ),
    (
        "original and corrections over two steps go by documents about each: its deductions go by its own",
        {
            ORIGINAL: Billed(None, 2, frozenset({11})),
            CORRECTION: Billed(ORIGINAL, 1, frozenset()),
            SECOND: Billed(CORRECTION, 1, frozenset({31})),
        },
        {SECOND: {31}, ORIGINAL: {11}},
        {ORIGINAL, CORRECTION, SECOND},
        set(),
        {ORIGINAL: 1, CORRECTION: 0, SECOND: 0},
    ),
    (
        "a document that only takes back stood never, so it is not cancelled",
        {ORIGINAL: Billed(None, 2, frozenset({11})), CORRECTION: Billed(ORIGINAL, 0, frozenset())},
        {ORIGINAL: {11}},
        {ORIGINAL},
        set(),
        {ORIGINAL: 0},
    ),
]


@pytest.mark.parametrize(
    ("billed", "taken", "gone", "restored", "back"), [case[1:] for case in FAMILIES], ids=[case[0] for case in FAMILIES]
)
def test_what_stands_of_a_family_says_what_becomes_of_its_documents(
    billed: dict[int, Billed],
    taken: dict[int, set[int]],
    gone: set[int],
    restored: set[int],
    back: dict[int, int],
) -> None:
    rows = [
        basis(100 + line, D(-1), statement_type=CANCELLING, takes_back=line, original=document)
        for document, lines in taken.items()
        for line in lines
    ]
    made = orders(rows, "contract")
    assert after(made, billed) == (gone, restored)
    heads: Any = {each: SimpleNamespace(payer=2, original=billed[each].original) for each in billed}
    assert giving_back(made, Standing(heads, frozenset(gone))) == back


@pytest.mark.parametrize(
    ("statement_type", "kind", "contract_kind"),
    [
        (CORRECTED, "regular", "network"),
        (CORRECTED, "collective", "framework"),
        (CORRECTS_PRELIMINARY, "regular", "network"),
        (CORRECTS_FINAL, "annual", "network"),
    ],
)
def test_what_a_new_payer_gets_is_of_the_kind_of_the_statement(
    statement_type: int, kind: str, contract_kind: str
) -> None:
    sides = {"payer": 3, "contract": 4, "contract_kind": contract_kind}
    (order,) = orders([basis(1, D(50), statement_type=statement_type, original=7, **sides)], "contract")
    assert (order.kind, order.original, order.settles) == (kind, None, {4} if kind == "annual" else frozenset())


def test_a_new_line_without_an_original_follows_the_document_of_its_own_payer() -> None:
    rows = [
        basis(1, D(-50), statement_type=CANCELLING, takes_back=11, original=7, payer=3, original_payer=3),
        basis(2, D(-20), statement_type=CANCELLING, takes_back=12, original=8),
        basis(3, D(30), statement_type=CORRECTED, original_supplier=None, original_payer=None),
        basis(4, D(30), statement_type=CORRECTED, original_supplier=None, original_payer=None, supplier=9),
    ]
    made = orders(rows, "contract")
    assert [(order.supplier, order.payer, order.original) for order in made] == [(1, 3, 7), (1, 2, 8), (9, 2, None)]


@pytest.mark.parametrize(("statement_type", "kind"), [(CORRECTED, "regular"), (CORRECTS_FINAL, "annual")])
def test_what_is_billed_again_of_a_cancelled_document_is_a_statement_of_its_own(statement_type: int, kind: str) -> None:
    again = basis(1, D(50), statement_type=statement_type, original=7, original_state="cancelled")
    (order,) = orders([again], "contract")
    assert (order.kind, order.original, order.about) == (kind, None, frozenset())
    # beside a line that a standing document gets back it is on the document about that one
    taken = basis(2, D(-20), statement_type=CANCELLING, takes_back=12, original=8)
    (order,) = orders([again, taken], "contract") if statement_type == CORRECTED else orders([taken], "contract")
    assert order.original == 8
