"""platform: extensions, audit, incarnation."""

from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("CREATE EXTENSION IF NOT EXISTS timescaledb")
    op.execute("CREATE EXTENSION IF NOT EXISTS btree_gist")
    op.execute("""
        CREATE TABLE audit (
            id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT audit_pkey PRIMARY KEY,
            at timestamptz NOT NULL,
            person text NOT NULL,
            act text NOT NULL,
            subject text NOT NULL,
            details jsonb NOT NULL
        )
    """)
    op.execute("COMMENT ON TABLE audit IS 'Append-only: who did what to what, when'")
    op.execute("CREATE INDEX audit_subject_ix ON audit (subject, at)")
    op.execute("""
        CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            RAISE EXCEPTION 'table % is append-only: % is refused', TG_TABLE_NAME, TG_OP;
        END $$
    """)
    op.execute("""
        CREATE TRIGGER audit_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit
        FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()
    """)
    op.execute("""
        CREATE TABLE incarnation (
            number integer GENERATED ALWAYS AS IDENTITY CONSTRAINT incarnation_pkey PRIMARY KEY,
            id text NOT NULL CONSTRAINT incarnation_id_key UNIQUE,
            system_identifier text NOT NULL,
            timeline integer NOT NULL,
            database_oid bigint NOT NULL,
            made_at timestamptz NOT NULL,
            reason text NOT NULL
        )
    """)
    op.execute("""
        COMMENT ON TABLE incarnation IS
        'The database''s lives: the newest row is the present one; edges offer again after a change'
    """)


def downgrade() -> None:
    op.execute("DROP TABLE incarnation, audit")
    op.execute("DROP FUNCTION refuse_change()")
