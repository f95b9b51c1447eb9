"""advances: what their papers say of parties and points, as of issuing."""

from alembic import op

revision = "0056"
down_revision = "0055"
branch_labels = None
depends_on = None

FACES = """
CREATE TABLE advance_face (
    id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT advance_face_pkey PRIMARY KEY,
    digest text NOT NULL CONSTRAINT advance_face_digest_key UNIQUE,
    content jsonb NOT NULL
);
COMMENT ON TABLE advance_face IS
    'What papers of advances say of both parties and the points as of issuing; equal ones share a row';
CREATE TRIGGER advance_face_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON advance_face
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

ALTER TABLE advance ADD COLUMN face bigint CONSTRAINT advance_face_fkey REFERENCES advance_face (id);
ALTER TABLE advance_document
    ADD COLUMN face bigint CONSTRAINT advance_document_face_fkey REFERENCES advance_face (id);
COMMENT ON COLUMN advance.face IS 'Missing where it was sent before faces were kept';
COMMENT ON COLUMN advance_document.face IS 'Missing where it was issued before faces were kept';
"""


def upgrade() -> None:
    op.execute(FACES)


def downgrade() -> None:
    op.execute("""
        ALTER TABLE advance_document DROP COLUMN face;
        ALTER TABLE advance DROP COLUMN face;
        DROP TABLE advance_face
    """)
