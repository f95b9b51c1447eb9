"""Whatever is corrected, cancelled alone or taken back in parts: a document's state says which of its lines stand."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from central.invoicing import states
from central.invoicing.selection import orders
from central.invoicing.standing import Billed, after
from tests.unit.central.invoicing.test_corrections_net import CANCELLING, CORRECTED, D, basis

acts = st.lists(st.tuples(st.integers(0, 20), st.integers(0, 7), st.integers(0, 2)), min_size=1, max_size=8)


class Family:
    """Documents about one another, each with its lines as a set."""

    def __init__(self, lines: int) -> None:
        self.lines: dict[int, frozenset[int]] = {1: frozenset(range(100, 100 + lines))}
        self.standing: dict[int, frozenset[int]] = dict(self.lines)
        self.original: dict[int, int | None] = {1: None}
        self.state = {1: "issued"}

    def act(self, place: int, mask: int, instead: int) -> None:
        """About a document of which something stands: take the lines of a mask back, put so many in their place."""
        about = sorted(each for each in self.lines if self.standing[each])
        if not about:
            return
        document = about[place % len(about)]
        taken = {line for bit, line in enumerate(sorted(self.standing[document])) if mask >> bit & 1}
        if not taken and not instead:
            return
        new = max(self.lines) + 1
        added = frozenset(range(new * 100, new * 100 + instead))
        rows: list[Any] = [
            basis(line, D(-5), statement_type=CANCELLING, takes_back=line, original=document) for line in sorted(taken)
        ]
        # amounts of 0 and opposite ones: sums say nothing of what stands
        rows += [basis(line, D(line % 2), statement_type=CORRECTED, original=document) for line in sorted(added)]
        gone, restored = after(orders(rows, "contract"), self._billed())
        for each in sorted(restored):
            if self.state[each] == "corrected":
                self.state[each] = states.advance(self.state[each], "restore", str(each))
        named = {document}
        for each in sorted(named | gone):
            if each in named or self.state[each] != "cancelled":
                self.state[each] = states.advance(self.state[each], "cancel" if each in gone else "correct", str(each))
        self.standing[document] -= taken
        self.lines[new] = self.standing[new] = added
        self.original[new] = document
        self.state[new] = "issued"

    def stands(self, document: int) -> bool:
        return bool(self.standing[document]) or self._followed(document)

    def _followed(self, document: int) -> bool:
        return any(self.stands(each) for each, original in self.original.items() if original == document)

    def expected(self, document: int) -> str:
        if not self.lines[document]:
            return "issued"  # what only takes back never stood
        if not self.stands(document):
            return "cancelled"
        whole = self.standing[document] == self.lines[document]
        return "issued" if whole and not self._followed(document) else "corrected"

    def _billed(self) -> dict[int, Billed]:
        return {each: Billed(self.original[each], len(self.lines[each]), self.standing[each]) for each in self.lines}


@settings(max_examples=100, deadline=None)
@given(lines=st.integers(1, 3), done=acts)
def test_states_are_those_of_the_lines_as_sets(lines: int, done: list[tuple[int, int, int]]) -> None:
    family = Family(lines)
    for act in done:
        family.act(*act)
        assert family.state == {each: family.expected(each) for each in family.lines}
