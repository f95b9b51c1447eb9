"""What an answer to a message makes of the duty that the message fulfils."""

from collections.abc import Iterable
from typing import Final

from sqlalchemy import Connection, text

_SETTLE: Final = text("""
    -- the last message made for the duty's present cause says what becomes of it
    UPDATE market_duty duty
       SET state = told.becomes,
           done_at = CASE told.becomes WHEN 'done' THEN told.answered_at END,
           handed_over_by = NULL,
           problem = CASE WHEN told.state = 'rejected' THEN 'The message was rejected: ' || told.reasons END
      FROM (
        SELECT DISTINCT ON (m.duty) m.duty, m.state, m.answered_at,
               CASE WHEN m.state IN ('accepted', 'accepted_with_reservation') THEN 'done'
                    WHEN m.state = 'rejected' THEN 'open' ELSE 'told' END AS becomes,
               coalesce((SELECT string_agg(concat_ws(' ', r ->> 'type', r ->> 'code', r ->> 'text'), '; ')
                           FROM jsonb_array_elements(m.reasons) r), 'without a reason') AS reasons
          FROM market_message m JOIN market_duty d ON d.id = m.duty
         WHERE m.duty IN (SELECT duty FROM market_message WHERE id = ANY (:messages) AND duty IS NOT NULL)
           AND m.direction = 'out' AND m.state <> 'repaired' AND m.made_at >= d.arose_at
         ORDER BY m.duty, m.version DESC) told
     WHERE duty.id = told.duty AND duty.state <> 'waived' AND duty.state <> told.becomes
""")


def settle_answered(connection: Connection, message_ids: Iterable[int]) -> int:
    """Bring the duties of messages to what their answers say: done, or open again with the reasons when rejected.

    Set-wise and repeatable; messages without a duty are passed over, as are those made before the duty's present cause.
    Returns how many duties moved.
    """
    numbers = sorted(set(message_ids))
    if not numbers:
        return 0
    return connection.execute(_SETTLE, {"messages": numbers}).rowcount


_LEFT: Final = text("""
    -- answered messages of duties that wait for an answer: refused by a channel, or answered while nobody looked
    SELECT message.id FROM market_duty duty JOIN market_message message ON message.duty = duty.id
     WHERE duty.state = 'told' AND message.state IN ('accepted', 'accepted_with_reservation', 'rejected')
       AND message.made_at >= duty.arose_at
""")


_STRANDED: Final = text("""
    -- duties that wait for an answer to a message in whose place another one went, which is not theirs
    UPDATE market_duty duty SET state = 'open'
     WHERE duty.state = 'told'
       AND NOT EXISTS (SELECT FROM market_message m
                        WHERE m.duty = duty.id AND m.made_at >= duty.arose_at AND m.state <> 'repaired')
""")


def settle_left(connection: Connection) -> int:
    """Settle the duties that no answer has settled although their message is answered; how many moved.

    Those of which no message is on its way are open again.
    """
    connection.execute(_STRANDED)
    return settle_answered(connection, connection.execute(_LEFT).scalars())
