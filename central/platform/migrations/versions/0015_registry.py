"""registry: parties, supply points, contracts and their rows in time; audit with before, after and why."""

from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

PLATFORM = """
ALTER TABLE audit ADD COLUMN before jsonb, ADD COLUMN after jsonb, ADD COLUMN why text;
COMMENT ON TABLE audit IS 'Append-only: who did what to what, when, why, and what it was before and after';

CREATE EXTENSION IF NOT EXISTS pg_trgm;
CREATE FUNCTION fold(text) RETURNS text LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT translate(lower($1), 'áäčďéěëíľĺňóôöőŕřšťúůüűýžÁÄČĎÉĚËÍĽĹŇÓÔÖŐŔŘŠŤÚŮÜŰÝŽ',
                     'aacdeeeillnoooorrstuuuuyzaacdeeeillnoooorrstuuuuyz')
$$;
COMMENT ON FUNCTION fold(text) IS 'Text as it is searched: small letters without accents';
"""


def upgrade() -> None:
    """Add the columns and tables; what is stored stays."""
    op.execute(PLATFORM)


def downgrade() -> None:
    """Drop them."""
    op.execute("DROP FUNCTION fold(text)")
    op.execute("ALTER TABLE audit DROP COLUMN before, DROP COLUMN after, DROP COLUMN why")
    op.execute("COMMENT ON TABLE audit IS 'Append-only: who did what to what, when'")
