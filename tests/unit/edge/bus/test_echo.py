"""Own octets are taken out of what comes, exactly."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.bus.echo import SUSPECT_AFTER, Echo, EchoWatch
from edge.errors import CollisionError

REQUEST = bytes.fromhex("05 04 00 48 00 02 f1 99")
ANSWER = bytes.fromhex("05 04 04 41 20 00 00 eb 8a")


@given(st.binary(min_size=1, max_size=40), st.binary(max_size=40), st.lists(st.integers(0, 80), max_size=6))
def test_in_whatever_pieces_it_comes(request_octets: bytes, answer: bytes, cuts: list[int]) -> None:
    echo = Echo()
    echo.sent(request_octets)
    line = request_octets + answer
    places = sorted({0, len(line), *(cut for cut in cuts if cut <= len(line))})
    pieces = [line[begin:end] for begin, end in pairwise(places)]
    assert b"".join(echo.without(piece) for piece in pieces) == answer
    assert echo.outstanding == 0


def test_an_echo_that_differs_is_a_collision() -> None:
    echo = Echo()
    echo.sent(REQUEST)
    with pytest.raises(CollisionError, match=r"differs: 4a was heard where 48 was sent.*set echo to false"):
        echo.without(bytes.fromhex("05 04 00 4a 00"))
    assert echo.without(ANSWER) == ANSWER, "nothing of it is waited for any more"


def test_an_answer_that_is_a_copy_of_its_request_stays() -> None:
    echo = Echo()
    echo.sent(REQUEST)
    assert echo.without(REQUEST + REQUEST) == REQUEST


def test_an_echo_that_nobody_configured_is_noticed_once() -> None:
    watch = EchoWatch()
    noticed = []
    for _ in range(SUSPECT_AFTER + 4):
        noticed.append(watch.sent(REQUEST))
        watch.heard(REQUEST[:3])
        watch.heard(REQUEST[3:] + ANSWER)
    assert noticed.count(True) == 1
    assert noticed.index(True) == SUSPECT_AFTER


@pytest.mark.parametrize("heard", [ANSWER, REQUEST, b"", REQUEST[:4]])
def test_other_answers_raise_no_suspicion(heard: bytes) -> None:
    watch = EchoWatch()
    assert not any([watch.sent(REQUEST), watch.heard(heard)][0] for _ in range(10))
