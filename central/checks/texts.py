"""Messages of checks, kept once: a finding of years ago is told in the words of its time."""

from collections.abc import Sequence

from sqlalchemy import Connection, select, text

from central.checks.framework import Text
from central.checks.tables import check_text

_KEEP = text("""
    INSERT INTO check_text (cs, en)
    SELECT DISTINCT n.cs, n.en FROM unnest(CAST(:cs AS text[]), CAST(:en AS text[])) AS n (cs, en)
     ORDER BY 1, 2
    ON CONFLICT (cs, en) DO NOTHING
""")
_IDS = text("""
    SELECT t.id FROM unnest(CAST(:cs AS text[]), CAST(:en AS text[])) WITH ORDINALITY AS n (cs, en, place)
      JOIN check_text t ON t.cs = n.cs AND t.en = n.en
     ORDER BY n.place
""")


def keep_texts(connection: Connection, messages: Sequence[Text]) -> list[int]:
    """The ids of messages, in their order; new ones are kept."""
    parameters = {"cs": [message.cs for message in messages], "en": [message.en for message in messages]}
    known = connection.execute(_IDS, parameters).scalars().all()
    if len(known) < len(messages):
        connection.execute(_KEEP, parameters)
        known = connection.execute(_IDS, parameters).scalars().all()
    return list(known)


def read_texts(connection: Connection, ids: Sequence[int]) -> list[Text]:
    """Messages by id, in the order of the ids."""
    rows = connection.execute(select(check_text).where(check_text.c.id.in_(set(ids)))).all()
    found = {row.id: Text(row.cs, row.en) for row in rows}
    return [found[each] for each in ids]
