"""What spans of days must fulfil in every message."""

from collections.abc import Iterable, Iterator
from datetime import date
from itertools import pairwise
from typing import Protocol


class Span(Protocol):
    """Days from the first to the last, which is included; open where there is no last one."""

    @property
    def first_day(self) -> date: ...
    @property
    def last_day(self) -> date | None: ...


def backward(what: str, span: Span) -> Iterator[str]:
    """The span that ends before it begins."""
    if span.last_day is not None and span.last_day < span.first_day:
        yield f"{what} ends on {span.last_day} before it begins on {span.first_day}."


def outside(what: str, span: Span, whole: Span) -> Iterator[str]:
    """The span that reaches beyond the one around it."""
    if span.first_day < whole.first_day or (
        whole.last_day is not None and (span.last_day is None or span.last_day > whole.last_day)
    ):
        yield (
            f"{what} ({span.first_day} to {span.last_day or 'open'}) reaches beyond {whole.first_day} to "
            f"{whole.last_day or 'open'}."
        )


def overlapping(what: str, spans: Iterable[Span]) -> Iterator[str]:
    """Every span that begins before the one ahead of it has ended."""
    ordered = sorted(spans, key=lambda span: span.first_day)
    for before, after in pairwise(ordered):
        if before.last_day is None or after.first_day <= before.last_day:
            yield f"{what} from {after.first_day} overlaps the one from {before.first_day}."
