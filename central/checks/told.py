"""What became of a duty to tell the market operator something: by its last message of the present cause."""

from typing import Final

ACCEPTED, BY_HAND, RESERVED, WAITING, UNSENT, REJECTED = range(6)
"""From the best to the worst: accepted, handed over outside messages, accepted with reservation, on its way, not sent
yet, rejected."""

STATUS: Final = f"""
           CASE WHEN m.state = 'rejected' THEN {REJECTED}
                WHEN m.state = 'accepted_with_reservation' THEN {RESERVED}
                WHEN m.state = 'accepted' THEN {ACCEPTED}
                WHEN m.id IS NULL AND d.state = 'done' THEN {BY_HAND}
                WHEN m.state IN ('sent', 'timed_out') THEN {WAITING}
                ELSE {UNSENT} END"""
"""The status of duty `d` with its message `m`, as SQL."""
LAST_MESSAGE: Final = """
      LEFT JOIN LATERAL (
           SELECT m.id, m.state FROM market_message m
            WHERE m.duty = d.id AND m.direction = 'out' AND m.state <> 'repaired' AND m.made_at >= d.arose_at
            ORDER BY m.version DESC LIMIT 1) AS m ON true"""
"""Joins the last message `m` of duty `d`, as SQL; there is none where its cause changed since."""
