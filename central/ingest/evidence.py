"""What a concentrator that asks is told of its load profiles in evidence: stretches without a hole, by register."""

from datetime import datetime, timedelta
from typing import Any, Final

import psycopg

from shared.clock import EPOCH
from shared.wire import Birth, Evidence

Connection = psycopg.Connection[tuple[Any, ...]]

LONGEST: Final = timedelta(days=400)
"""So far back at most: no meter's memory is deeper, and a birth with an absurd instant must not read all there is."""
BOUNDS_A_PAGE: Final = 40_000
"""Numbers on one page: at 9 octets each, a fifth of what the broker takes in one packet."""
BOUNDS_A_NAME: Final = 16
"""A register's names take about so many numbers' room."""

# Set-based: all blocks of the concentrator since then, joined into stretches by register. Shorter steps are
# series that are looked at, not load profiles. States are named without stretches: known, but not since when to when.
# What came from a file is no reason not to read the meter.
_SPANS: Final = b"""
    SELECT e.device, e.register, lower(span), upper(span)
    FROM evidence_channel e
    LEFT JOIN (
        SELECT b.evidence_channel, range_agg(int8range(
            (extract(epoch FROM b.start) * 1000)::bigint,
            (extract(epoch FROM b.start) * 1000)::bigint + b.step::bigint * cardinality(b.values)
        )) AS spans
        FROM block b JOIN evidence_channel c ON c.id = b.evidence_channel
        WHERE c.concentrator = %(edge)s AND c.kind = 'interval' AND b.step >= 900000 AND b.start >= %(since)s
          AND NOT EXISTS (SELECT FROM batch f JOIN import_source s ON s.code = f.edge WHERE f.id = b.batch_id)
        GROUP BY b.evidence_channel
    ) AS held ON held.evidence_channel = e.id
    LEFT JOIN LATERAL unnest(held.spans) AS span ON true
    WHERE e.concentrator = %(edge)s
    ORDER BY e.device, e.register, lower(span)
"""


def evidence_pages(connection: Connection, edge: str, birth: Birth, at: datetime, incarnation: str) -> list[Evidence]:
    """The answer to `birth.ask`, at least one page; none if it does not ask."""
    if not birth.ask:
        return []
    now_ms = (at - EPOCH) // timedelta(milliseconds=1)
    since = min(max(birth.ask, now_ms - LONGEST // timedelta(milliseconds=1)), now_ms)
    names = {"edge": edge, "since": EPOCH + timedelta(milliseconds=since)}
    pages: list[list[tuple[str, str, list[int]]]] = [[]]
    room = BOUNDS_A_PAGE
    for device, register, begin, end in connection.execute(_SPANS, names):
        page = pages[-1]
        known = bool(page) and page[-1][:2] == (device, register)
        room -= 2 if known else 2 + BOUNDS_A_NAME
        if room < 0 and page:
            page, known, room = [], False, BOUNDS_A_PAGE
            pages.append(page)
        if not known:
            page.append((device, register, []))
        if begin is not None:
            page[-1][2].extend((begin, end))
    return [Evidence(incarnation, since, birth.at, n, len(pages), page) for n, page in enumerate(pages, 1)]
