"""Which movements of a statement another one had brought, where no reference of the bank tells. Pure.

Equal movements of a day (one amount, one payer, one symbol) are told apart by where they lie: a statement is a piece of
the account's day from one balance to another. Pieces that meet end to end hold different movements; where they overlap
they hold the same ones, as many of each content as both have. The two forms do not say the same of every movement (a
symbol or an account that only one of them has), so pieces of different forms that overlap are compared by their amounts
too. A balance that comes back to what it was leaves two readings; then a movement is taken as repeated, because a
person can book it anyway and never has to take one back.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Literal


@dataclass(frozen=True, slots=True)
class Movement:
    """A movement as it is compared: `id` of the stored payment (0: it comes now), amount in hellers, digest of what
    both forms say of it, the bank's reference in the form it was read from."""

    id: int
    amount: int
    content: bytes
    form: str
    reference: str | None = None


@dataclass(frozen=True, slots=True)
class Piece:
    """Movements of one day in the order of their statement, from the balance `start` (hellers); `told` by which
    statements (form, number)."""

    start: int
    movements: tuple[Movement, ...]
    told: frozenset[tuple[str, str]]

    @property
    def end(self) -> int:
        return self.start + sum(movement.amount for movement in self.movements)

    def balances(self) -> dict[int, int]:
        """The place of the first movement before which the balance was so much."""
        found: dict[int, int] = {}
        balance = self.start
        for place, movement in enumerate(self.movements):
            found.setdefault(balance, place)
            balance += movement.amount
        return found


def pieces(form: str, number: str, old: int, movements: Iterable[tuple[date, Movement]]) -> dict[date, Piece]:
    """A statement by days: each day begins with the old balance and all that was booked on the days before."""
    days: dict[date, list[Movement]] = {}
    for day, movement in movements:
        days.setdefault(day, []).append(movement)
    cut: dict[date, Piece] = {}
    for day in sorted(days):
        cut[day] = Piece(old, tuple(days[day]), frozenset({(form, number)}))
        old = cut[day].end
    return cut


def find_repeated(come: Piece, known: Sequence[Piece], named: Mapping[int, int]) -> dict[int, int]:
    """Place in `come` -> id of the stored payment that it is, for each movement that a known piece of the day has.

    `named` are those that references told already. A stored payment is found once, but for a sum that one form tells as
    one movement and another one in parts.
    """
    chains = _chains(known)
    found = dict(named)
    in_doubt: list[Piece] = []
    for chain in chains:
        place, other = _meet(come, chain)
        mine, theirs = come.movements[place:], chain.movements[other:]
        both = min(len(mine), len(theirs))
        if place + other >= 0 and _contents(mine[:both]) == _contents(theirs[:both]):
            _pair(range(place, place + both), come, theirs[:both], found)
        elif place + other >= 0 and _of_two_forms(come, chain) and _amounts(mine[:both]) == _amounts(theirs[:both]):
            _pair(range(place, place + both), come, theirs[:both], found)
            _pair(range(place, place + both), come, theirs[:both], found, of="amount")
        elif not _apart(come, chain, aligned=place + other >= 0):
            in_doubt.append(chain)
    for chain in in_doubt:
        _pair(range(len(come.movements)), come, chain.movements, found)
        if _of_two_forms(come, chain):
            _pair_sums(come, chain, found)
    return found


def _pair_sums(come: Piece, chain: Piece, found: dict[int, int]) -> None:
    """Between the same two balances two forms tell the same money: what is left of both is one sum in other parts (a
    batch and its movements, a payment and its charge)."""
    place = chain.balances().get(come.start)
    if place is None:
        return
    balance, end, stop = come.start, come.end, None
    for number, movement in enumerate(chain.movements[place:], start=place + 1):
        balance += movement.amount
        if balance == end:
            stop = number
    used = set(found.values())
    theirs = [movement for movement in chain.movements[place:stop] if movement.id not in used]
    mine = [number for number in range(len(come.movements)) if number not in found]
    if (
        stop is None
        or not theirs
        or sum(come.movements[each].amount for each in mine) != sum(movement.amount for movement in theirs)
    ):
        return
    found.update(dict.fromkeys(mine, theirs[0].id))


def _meet(come: Piece, chain: Piece) -> tuple[int, int]:
    """Where the later of both begins within the other one; (-1, -1) where it does not."""
    if (other := chain.balances().get(come.start)) is not None:
        return 0, other
    if (place := come.balances().get(chain.start)) is not None:
        return place, 0
    return -1, -1


def _apart(come: Piece, chain: Piece, *, aligned: bool) -> bool:
    """Whether they hold different movements for sure: they meet end to end, or lie apart in one bank's numbering."""
    if come.start != chain.start and (come.start == chain.end or come.end == chain.start):
        return True
    forms = {form for form, _ in come.told | chain.told}
    return not aligned and len(forms) == 1 and not come.told & chain.told


def _of_two_forms(one: Piece, other: Piece) -> bool:
    return not {form for form, _ in one.told} & {form for form, _ in other.told}


def _pair(
    places: Iterable[int],
    come: Piece,
    stored: Sequence[Movement],
    found: dict[int, int],
    of: Literal["content", "amount"] = "content",
) -> None:
    """Find a stored movement for each place: one of the same content, or of the same amount."""
    used = set(found.values())
    free: dict[bytes | int, list[Movement]] = {}
    for movement in reversed(stored):
        if movement.id not in used:
            free.setdefault(getattr(movement, of), []).append(movement)
    for place in places:
        mine = come.movements[place]
        same = free.get(getattr(mine, of), [])
        # Two references of one form that differ name two movements.
        fit = next((each for each in reversed(same) if not _named(mine, each)), None)
        if place not in found and fit is not None:
            found[place] = fit.id
            same.remove(fit)


def _named(mine: Movement, other: Movement) -> bool:
    return mine.form == other.form and mine.reference is not None and other.reference is not None


def _contents(movements: Sequence[Movement]) -> Counter[bytes]:
    return Counter(movement.content for movement in movements)


def _amounts(movements: Sequence[Movement]) -> Counter[int]:
    return Counter(movement.amount for movement in movements)


def _chains(known: Sequence[Piece]) -> list[Piece]:
    """Pieces laid together where one goes on where another ends, or overlaps it."""
    chains: list[Piece] = []
    for piece in known:
        grown = piece
        while (fit := next((each for each in chains if _joined(each, grown) is not None), None)) is not None:
            chains.remove(fit)
            grown = _joined(fit, grown) or grown
        chains.append(grown)
    return chains


def _joined(one: Piece, other: Piece) -> Piece | None:
    """Both as one piece; None where they do not meet."""
    first, second = ({movement.id for movement in piece.movements} for piece in (one, other))
    told = one.told | other.told
    if first >= second:
        return Piece(one.start, one.movements, told)
    if second >= first:
        return Piece(other.start, other.movements, told)
    for early, late in ((one, other), (other, one)):
        if not first & second:
            if early.end == late.start:
                return Piece(early.start, early.movements + late.movements, told)
            continue
        place = early.balances().get(late.start)
        if place is None:
            continue
        shared = {movement.id for movement in early.movements[place:]}
        if shared == {movement.id for movement in late.movements[: len(shared)]}:
            return Piece(early.start, early.movements[:place] + late.movements, told)
    return None
