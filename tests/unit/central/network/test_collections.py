"""Trees of nodes with validity: the parent is there all the time, and nobody stands below himself."""

from datetime import date

import pytest

from central.network.collections import Node, _check_parent
from central.platform.errors import Refused

FOR_EVER = date.max
JANUARY, MARCH, MAY = date(2026, 1, 1), date(2026, 3, 1), date(2026, 5, 1)


def node(name: str, parent: str | None, first: date = JANUARY, end: date = FOR_EVER) -> Node:
    return Node(0, name, parent, None, None, 1, None, first, end)


@pytest.mark.parametrize(
    "nodes",
    [
        [node("A", None)],
        [node("A", None, JANUARY, MARCH), node("A", "B", MARCH), node("B", None)],
        [node("A", "B", MARCH), node("A", "C", JANUARY, MARCH), node("B", None), node("C", None)],
    ],
)
def test_a_parent_that_is_there_is_taken(nodes: list[Node]) -> None:
    _check_parent(nodes, "N", "A", JANUARY, FOR_EVER)
    _check_parent(nodes, "N", None, JANUARY, FOR_EVER)


@pytest.mark.parametrize(
    ("nodes", "end", "message"),
    [
        ([], FOR_EVER, "The parent A is not in the tree from 2026-01-01 on; needed for ever."),
        ([node("A", None, JANUARY, MARCH)], MAY, "The parent A is not in the tree from 2026-03-01 on; needed until"),
        ([node("A", None, JANUARY, MARCH), node("A", None, MAY)], FOR_EVER, "not in the tree from 2026-03-01 on"),
        ([node("A", None, MARCH)], FOR_EVER, "not in the tree from 2026-01-01 on"),
        ([node("A", "N")], FOR_EVER, "below itself: N below A below N"),
        (
            [node("A", None, JANUARY, MARCH), node("A", "B", MARCH), node("B", "N")],
            FOR_EVER,
            "below itself: N below A below B below N",
        ),
    ],
)
def test_what_a_tree_cannot_be(nodes: list[Node], end: date, message: str) -> None:
    with pytest.raises(Refused, match=message):
        _check_parent(nodes, "N", "A", JANUARY, end)


def test_nobody_is_his_own_parent() -> None:
    with pytest.raises(Refused, match="N below N"):
        _check_parent([], "N", "N", JANUARY, FOR_EVER)
