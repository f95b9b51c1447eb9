"""Findings as blocks: what is packed is unpacked, and spelled with the messages of its time."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from central.checks import blocks
from central.checks.blocks import pack, spell, unpack
from central.checks.frame import MISSING
from central.checks.framework import Findings, Kind, Subject, Text, Value, findings
from central.checks.verdict import Result

NUMBERS = st.one_of(st.integers(-(2**62), 2**62), st.integers(-200, 200), st.just(MISSING))


@given(st.lists(st.tuples(st.integers(1, 2**62), st.integers(1, 5), st.integers(0, 300), NUMBERS), min_size=1))
def test_what_is_packed_is_unpacked_by_subject(rows: list[tuple[int, int, int, int]]) -> None:
    subjects, results, messages, numbers = (np.array(column, dtype=np.int64) for column in zip(*rows, strict=True))
    value = Value(Kind.LINK, numbers, ("invoice",))
    found = findings(subjects, results, messages, {"paid": value}, about=Subject.CALENDAR_ROW, group="annual")
    (block,) = pack(found)
    assert (block.first, block.last, sum(block.counts)) == (subjects.min(), subjects.max(), len(rows))
    again = unpack(block.packed, block.about, block.group)
    order = np.argsort(subjects, kind="stable")
    assert again.subjects.tolist() == subjects[order].tolist()
    assert again.results.tolist() == results[order].tolist()
    assert again.messages.tolist() == messages[order].tolist()
    assert again.values["paid"].data.tolist() == numbers[order].tolist()
    assert (again.values["paid"].words, again.about, again.group) == (("invoice",), Subject.CALENDAR_ROW, "annual")


def test_many_findings_become_several_blocks() -> None:
    found = findings(np.arange(blocks.ROWS + 1), Result.OK, 0)
    first, second = pack(found)
    assert (first.first, first.last, second.first) == (0, blocks.ROWS - 1, blocks.ROWS)
    assert first.counts == (0, 0, blocks.ROWS, 0, 0, 0)
    assert list(pack(found_nothing())) == []


def test_of_many_words_a_block_keeps_those_it_says() -> None:
    words = tuple(f"EM-{number}" for number in range(1_000))
    places = np.array([999, MISSING, 3, 999], dtype=np.int64)
    found = findings(np.arange(4), Result.OK, 0, {"meter": Value(Kind.WORD, places, words)})
    (block,) = pack(found)
    again = unpack(block.packed)
    assert again.values["meter"].words == ("EM-3", "EM-999")
    said = [each.text.en for each in spell(again, range(4), [Text("", "{meter}")])]
    assert said == ["EM-999", "–", "EM-3", "EM-999"]


def found_nothing() -> Findings:
    return findings(np.zeros(0, dtype=np.int64), Result.OK, 0)


def test_every_kind_of_value_is_shown_and_links_are_told() -> None:
    def one(kind: Kind, number: int, *words: str) -> Value:
        return Value(kind, np.array([number, MISSING], dtype=np.int64), words)

    values = {
        "count": one(Kind.COUNT, 3),
        "price": one(Kind.DECIMAL, int(Decimal("12.5") * 1_000_000)),
        "whole": one(Kind.DECIMAL, 100 * 1_000_000),
        "paid": one(Kind.MONEY, -1205),
        "day": one(Kind.DAY, (date(2026, 3, 1) - date(1970, 1, 1)).days),
        "unit": one(Kind.WORD, 1, "kWh", "MWh"),
        "line": one(Kind.LINK, 7, "received_invoice_item"),
    }
    message = Text("{count} {price} {whole} {paid} {day} {unit} {line}", "{{{price}}}")
    there, missing = spell(findings(np.array([8, 9]), Result.ERROR, 0, values), [0, 1], [message])
    assert there.text.cs == "3 12.5 100 -12.05 2026-03-01 MWh 7"
    assert there.text.en == "{12.5}"
    assert there.links == (("line", "received_invoice_item", 7),)
    assert missing.text.cs == "– – – – – – –"
    assert missing.links == ()
