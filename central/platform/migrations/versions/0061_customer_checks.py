"""checks: customer checks, every version of their rules."""

from alembic import op

revision = "0061"
down_revision = "0058"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the table; customer checks have numbers of their own."""
    op.execute("""
        CREATE TABLE customer_check (
            number integer NOT NULL
                CONSTRAINT customer_check_number_fkey REFERENCES check_definition (number),
            version integer NOT NULL CONSTRAINT customer_check_version_check CHECK (version > 0),
            form text NOT NULL CONSTRAINT customer_check_form_check CHECK (form IN ('declared', 'python')),
            document jsonb NOT NULL,
            made_at timestamptz NOT NULL,
            made_by text NOT NULL,
            why text NOT NULL,
            CONSTRAINT customer_check_pkey PRIMARY KEY (number, version)
        );
        COMMENT ON TABLE customer_check IS 'Zákaznická kontrola: every version of its rule; the newest one runs';
        ALTER TABLE check_definition
            ADD CONSTRAINT check_definition_numbers_check CHECK ((kind = 'customer') = (number > 100000));
        ALTER TABLE check_part ADD COLUMN version integer;
        COMMENT ON COLUMN check_part.version IS 'Of a customer check: the version of its rule that ran';
    """)


def downgrade() -> None:
    """Customer checks go, with what they found: an earlier release could not tell it."""
    op.execute("""
        DELETE FROM row_finding WHERE check_number > 100000;
        DELETE FROM check_block WHERE check_number > 100000;
        DELETE FROM check_message WHERE check_number > 100000;
        DELETE FROM check_part WHERE check_number > 100000;
        DROP TABLE customer_check;
        DELETE FROM check_definition WHERE number > 100000;
        ALTER TABLE check_definition DROP CONSTRAINT check_definition_numbers_check;
        ALTER TABLE check_part DROP COLUMN version;
    """)
