"""invoicing: a document settles the open item of the one that it corrects or cancels; which documents settle which."""

from alembic import op

revision = "0049"
down_revision = "0048"
branch_labels = None
depends_on = None

CORRECTIONS = """
ALTER TABLE allocation DROP CONSTRAINT allocation_set_off_check;
ALTER TABLE allocation ADD CONSTRAINT allocation_set_off_check CHECK (
    credit IS NULL OR refund IS NOT NULL OR set_off IS NOT NULL OR rule = 'correction');
"""

SETTLED = """
CREATE TABLE invoice_settled (
    invoice bigint NOT NULL CONSTRAINT invoice_settled_invoice_fkey REFERENCES invoice (id),
    settled bigint NOT NULL CONSTRAINT invoice_settled_settled_fkey REFERENCES invoice (id),
    CONSTRAINT invoice_settled_pkey PRIMARY KEY (invoice, settled)
);
CREATE INDEX invoice_settled_settled_ix ON invoice_settled (settled);
COMMENT ON TABLE invoice_settled IS
    'Append-only: documents that annual statements take lines of back: together they say the VAT that stands';
INSERT INTO invoice_settled (invoice, settled)
SELECT DISTINCT i.id, before.invoice
  FROM invoice i
  JOIN invoice_line l ON l.invoice = i.id
  JOIN billing_basis b ON b.id = l.basis
  JOIN invoice_line before ON before.basis = b.original
 WHERE i.original IS NULL AND before.invoice <> i.id;
CREATE TRIGGER invoice_settled_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON invoice_settled
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
"""

BACK = """
DROP TABLE invoice_settled;
ALTER TABLE allocation DROP CONSTRAINT allocation_set_off_check;
ALTER TABLE allocation ADD CONSTRAINT allocation_set_off_check CHECK (
    credit IS NULL OR refund IS NOT NULL OR set_off IS NOT NULL) NOT VALID;
"""


def upgrade() -> None:
    """A credit note takes off what is not paid of its original; annual statements name what they settle."""
    op.execute(CORRECTIONS)
    op.execute(SETTLED)


def downgrade() -> None:
    """Both go; allocations of corrections that were made stay as they are."""
    op.execute(BACK)
