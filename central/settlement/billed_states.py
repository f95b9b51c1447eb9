"""Lock the register states that an approved run stands on, so that what was billed stays what it was billed by."""

from datetime import datetime

from sqlalchemy import Connection, text

from central.readings.registers.entering import keep_split_states, lock_states

_STATES = text("""
    -- what is not remote among the states at both ends of the periods that a run pinned
    SELECT DISTINCT ON (state ->> 'evidence_channel', state ->> 'at') state
      FROM settlement_input si
     CROSS JOIN LATERAL jsonb_array_elements(si.readings) source
     CROSS JOIN LATERAL jsonb_array_elements(source -> 'periods') period
     CROSS JOIN LATERAL (VALUES (period -> 'from'), (period -> 'to')) ends (state)
     WHERE si.run = :run AND si.replaced_by IS NULL AND state ->> 'kind' <> 'remote'
     ORDER BY state ->> 'evidence_channel', state ->> 'at'
""")


def lock_billed_states(connection: Connection, run: int, number: str, at: datetime) -> None:
    """Lock entered states that the run stands on, also those on both sides of a split; keep split ones as estimates.

    Refused where one was revoked since the run was made.
    """
    states = [row.state for row in connection.execute(_STATES, {"run": run})]
    entries = [state["entry"] for state in states if "entry" in state]
    split = [state for state in states if "split" in state]
    entries += [side["entry"] for state in split for side in state["split"]["between"] if side["entry"] is not None]
    if entries:
        lock_states(connection, entries, number, at)
    keep_split_states(
        connection,
        [
            {
                "evidence_channel": state["evidence_channel"],
                "at": datetime.fromisoformat(state["at"]),
                "value": state["value"],
                "note": f"split by {state['split']['method']}",
            }
            for state in split
        ],
        number,
        at,
    )
