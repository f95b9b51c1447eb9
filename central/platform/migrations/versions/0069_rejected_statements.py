"""market: conversations whose statement was rejected wait for its repair, or have gone on with it."""

from alembic import op

revision = "0069"
down_revision = "0066"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """A rejected statement had led back to where a decision is waited for, which had been made: nothing went on."""
    op.execute("""
        WITH rejected AS (
            -- the last step that was no one else's statement is the rejection of ours
            SELECT DISTINCT ON (e.process) e.process, e.act, e.from_state, e.message
              FROM market_process_event e WHERE e.act <> 'statement' ORDER BY e.process, e.id DESC),
        meant AS (
            SELECT p.id, p.state AS before, r.message,
                   CASE WHEN NOT t.is_taken THEN
                        CASE r.from_state WHEN 'consented' THEN 'consent_rejected' ELSE 'objection_rejected' END
                        WHEN p.scenario = 'supplier_change' THEN
                        CASE r.from_state WHEN 'consented' THEN 'stated' ELSE 'refused' END
                        ELSE CASE r.from_state WHEN 'consented' THEN 'recognised' ELSE 'turned_down' END END AS after
              FROM market_process p JOIN rejected r ON r.process = p.id
              CROSS JOIN LATERAL (
                   SELECT EXISTS (SELECT FROM market_message m
                                   WHERE m.process = p.id AND m.id > r.message
                                     AND m.state IN ('accepted', 'accepted_with_reservation')) AS is_taken) t
             WHERE p.closed_at IS NULL AND r.act = 'rejected' AND r.from_state IN ('consented', 'objected')
               AND (p.scenario, p.state) IN (('supplier_change', 'asked'), ('claim_received', 'received'))),
        moved AS (
            UPDATE market_process p
               SET state = m.after,
                   closed_at = CASE WHEN m.after IN ('refused', 'recognised', 'turned_down') THEN now() END
              FROM meant m WHERE p.id = m.id)
        INSERT INTO market_process_event (process, at, person, act, from_state, to_state, why, message)
        SELECT id, now(), 'system', 'rejected', before, after, 'the decision stands, its statement was rejected',
               message
          FROM meant
    """)


def downgrade() -> None:
    """Back to where a decision is waited for; what has gone on stays."""
    op.execute("""
        UPDATE market_process
           SET state = CASE scenario WHEN 'supplier_change' THEN 'asked' ELSE 'received' END
         WHERE state IN ('consent_rejected', 'objection_rejected')
    """)
