"""What the meters hold against what central has: lost, doubled, mismatched, as docs/design.md defines them.

Expected values come from the simulators' memory (and their log of true states), never from our own path.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from sqlalchemy import Engine, text

from edge.inspect import committed_blocks
from shared.quantities import MISSING_VALUE
from shared.wire import MARK_REREAD

EXAMPLES = 5


class Instant(NamedTuple):
    """One value's place: register of a device at the beginning of an interval or at a sample, ms UTC."""

    device: str
    register: str
    kind: str
    at_ms: int


@dataclass(slots=True)
class Comparison:
    """Counts of values, and a few places of each fault."""

    expected: int = 0
    stored: int = 0
    lost: int = 0
    duplicated: int = 0
    mismatched: int = 0
    unexpected: int = 0
    """Stored although no meter holds it."""
    examples: dict[str, list[str]] = field(default_factory=dict)

    @property
    def holds(self) -> bool:
        """Nothing lost, doubled, changed or invented."""
        return not (self.lost or self.duplicated or self.mismatched or self.unexpected)


_STORED = text(
    """
    SELECT e.device, e.register, 'interval' AS kind,
           (extract(epoch FROM b.start) * 1000)::bigint + (i - 1) * b.step AS at_ms,
           b.values[i]::bigint AS value, b.marks
      FROM block b JOIN evidence_channel e ON e.id = b.evidence_channel,
           LATERAL generate_subscripts(b.values, 1) AS i
    UNION ALL
    SELECT e.device, e.register, 'state', (extract(epoch FROM r.at) * 1000)::bigint, r.value, r.marks
      FROM register_reading r JOIN evidence_channel e ON e.id = r.evidence_channel
    """
)


def read_stored(engine: Engine) -> list[tuple[Instant, int, int]]:
    """Every value in evidence: place, value, marks."""
    with engine.connect() as connection:
        rows = connection.execution_options(stream_results=True, max_row_buffer=50_000).execute(_STORED)
        return [
            (Instant(device, register, kind, at), value, marks) for device, register, kind, at, value, marks in rows
        ]


def read_committed(outboxes: Iterable[Path]) -> set[Instant]:
    """Every place that a concentrator's outbox holds: pending, numbered, acknowledged and kept."""
    return {
        Instant(block.key.device, block.key.register, str(block.key.kind), block.start_ms + n * block.step_ms)
        for outbox in outboxes
        for block, *_ in committed_blocks(outbox)
        for n in range(len(block.values))
    }


def compare(
    expected: Mapping[Instant, int],
    stored: Iterable[tuple[Instant, int, int]],
    committed: Collection[Instant] = (),
) -> Comparison:
    """Counts over all places; a re-read value may stand beside an earlier one, but must agree.

    Lost is what a meter holds (`expected`) or an outbox has committed, and evidence (`stored`) has not.
    """
    result = Comparison(expected=len(expected))
    first_readings: Counter[Instant] = Counter()
    seen: set[Instant] = set()
    for place, value, marks in stored:
        result.stored += 1
        seen.add(place)
        if not marks & MARK_REREAD:
            first_readings[place] += 1
        wanted = expected.get(place)
        if wanted is None:
            result.unexpected += 1
            _note(result, "unexpected", f"{place} = {value}")
        elif wanted != value or value == MISSING_VALUE:
            result.mismatched += 1
            _note(result, "mismatched", f"{place} = {value}, the meter holds {wanted}")
    for place in {*expected, *committed}:
        if place not in seen:
            result.lost += 1
            _note(result, "lost", str(place))
    for place, times in first_readings.items():
        if times > 1:
            result.duplicated += times - 1
            _note(result, "duplicated", f"{place}, {times} times")
    return result


def _note(result: Comparison, fault: str, place: str) -> None:
    examples = result.examples.setdefault(fault, [])
    if len(examples) < EXAMPLES:
        examples.append(place)
