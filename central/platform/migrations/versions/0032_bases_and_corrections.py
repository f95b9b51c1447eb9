"""bases and corrections: VAT of what is to be corrected, the reason of a corrective run."""

from alembic import op

revision = "0032"
down_revision = "0031"
branch_labels = None
depends_on = None

FORTH = """
ALTER TABLE settlement_run ADD COLUMN reason text;
COMMENT ON COLUMN settlement_run.reason IS 'Of a corrective run: why what was billed is corrected';
UPDATE settlement_run r
   SET reason = (SELECT min(b.reason) FROM billing_basis b WHERE b.run = r.id)
 WHERE r.statement = 'corrective';
ALTER TABLE correction
    ADD COLUMN billed_vat numeric(14, 2),
    ADD COLUMN correct_vat numeric(14, 2),
    ADD CONSTRAINT correction_vat_check CHECK ((billed_vat IS NULL) = (correct_vat IS NULL));
COMMENT ON COLUMN correction.billed_vat IS 'VAT of these lines as billed; NULL: found before VAT was compared';
COMMENT ON COLUMN correction.correct_vat IS 'VAT of these lines as they would be billed now';
"""

BACK = """
ALTER TABLE correction
    DROP CONSTRAINT correction_vat_check, DROP COLUMN billed_vat, DROP COLUMN correct_vat;
ALTER TABLE settlement_run DROP COLUMN reason;
"""


def upgrade() -> None:
    op.execute(FORTH)


def downgrade() -> None:
    op.execute(BACK)
