"""settlement: what a draft counted as settled beside it."""

from alembic import op

revision = "0043"
down_revision = "0042"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Drafts pin what they counted."""
    op.execute("""
        ALTER TABLE settlement_input ADD COLUMN beside jsonb;
        COMMENT ON COLUMN settlement_input.beside IS
            'Of a part of a month that has a maximum: inputs and lines of the rest that it counted, by id';
        -- drafts of parts of months that were made before pin nothing: where something is settled beside them they are
        -- made anew
        UPDATE settlement_input i SET beside = '{"inputs": [], "lines": []}'
          FROM settlement_run r
         WHERE r.id = i.run AND r.state = 'draft' AND r.statement <> 'corrective'
           AND (extract(day FROM lower(i.valid) AT TIME ZONE 'Europe/Prague') <> 1
                OR extract(day FROM upper(i.valid) AT TIME ZONE 'Europe/Prague') <> 1);
    """)


def downgrade() -> None:
    """The pins go."""
    op.execute("ALTER TABLE settlement_input DROP COLUMN beside")
