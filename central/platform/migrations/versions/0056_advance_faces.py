"""advances: what their papers say of parties and points, as of issuing; every run of year-end work."""

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

RUNS = """
CREATE TABLE year_end_run (
    year_end bigint NOT NULL,
    contract bigint NOT NULL,
    run bigint NOT NULL CONSTRAINT year_end_run_run_fkey REFERENCES settlement_run (id),
    CONSTRAINT year_end_run_pkey PRIMARY KEY (year_end, contract, run),
    CONSTRAINT year_end_run_year_end_contract_fkey FOREIGN KEY (year_end, contract)
        REFERENCES year_end_contract (year_end, contract) ON DELETE CASCADE
);
CREATE INDEX year_end_run_run_ix ON year_end_run (run);
COMMENT ON TABLE year_end_run IS
    'The runs that year-end work made for a contract; of cancelling accruals those cancelled';
INSERT INTO year_end_run (year_end, contract, run)
SELECT year_end, contract, run FROM year_end_contract WHERE run IS NOT NULL;
ALTER TABLE year_end_contract DROP COLUMN run;
COMMENT ON TABLE year_end_contract IS 'A contract in year-end work: waiting, done with its runs, or failed and why';
"""


def upgrade() -> None:
    op.execute(FACES)
    op.execute(RUNS)


def downgrade() -> None:
    op.execute("""
        ALTER TABLE year_end_contract
            ADD COLUMN run bigint CONSTRAINT year_end_contract_run_fkey REFERENCES settlement_run (id);
        UPDATE year_end_contract done SET run = made.run
          FROM (SELECT year_end, contract, max(run) AS run FROM year_end_run GROUP BY 1, 2) made
         WHERE made.year_end = done.year_end AND made.contract = done.contract;
        CREATE INDEX year_end_contract_run_ix ON year_end_contract (run);
        COMMENT ON TABLE year_end_contract IS
            'A contract in year-end work: waiting, done with its run, or failed and why';
        DROP TABLE year_end_run;
        ALTER TABLE advance_document DROP COLUMN face;
        ALTER TABLE advance DROP COLUMN face;
        DROP TABLE advance_face
    """)
