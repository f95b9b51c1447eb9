"""documents: kinds of documents with their own series and originals; lines name bases of any run."""

from alembic import op

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None

LANGUAGE = """
CREATE TABLE document_language (
    party bigint NOT NULL CONSTRAINT document_language_party_fkey REFERENCES party (id),
    language text NOT NULL,
    CONSTRAINT document_language_pkey PRIMARY KEY (party),
    CONSTRAINT document_language_language_check CHECK (language IN ('cs', 'en'))
);
COMMENT ON TABLE document_language IS 'The language of documents for a payer; who is not here gets them in Czech';
"""

SERIES = """
-- a series is named by the year and the prefix of its kind; what was issued so far are regular invoices, prefix 0
UPDATE invoice_series SET series = series || '0';
"""

INVOICE = """
ALTER TABLE invoice
    ADD COLUMN kind text NOT NULL DEFAULT 'regular',
    ADD COLUMN contract bigint CONSTRAINT invoice_contract_fkey REFERENCES contract (id),
    ADD COLUMN original bigint CONSTRAINT invoice_original_fkey REFERENCES invoice (id),
    ADD COLUMN reason text,
    ADD COLUMN language text NOT NULL DEFAULT 'cs',
    ADD COLUMN deducted numeric(14, 2) NOT NULL DEFAULT 0,
    ADD COLUMN payable numeric(14, 2);
UPDATE invoice SET payable = gross;
UPDATE invoice i SET contract = sole.contract
  FROM (SELECT l.invoice, min(b.contract) AS contract FROM invoice_line l JOIN billing_basis b ON b.id = l.basis
         GROUP BY l.invoice HAVING count(DISTINCT b.contract) = 1) sole
 WHERE sole.invoice = i.id;
UPDATE invoice SET kind = 'collective' WHERE contract IS NULL;
ALTER TABLE invoice
    ALTER COLUMN kind DROP DEFAULT,
    ALTER COLUMN language DROP DEFAULT,
    ALTER COLUMN deducted DROP DEFAULT,
    ALTER COLUMN payable SET NOT NULL,
    DROP COLUMN run,
    DROP CONSTRAINT invoice_state_check,
    ADD CONSTRAINT invoice_state_check CHECK (state IN ('issued', 'sent', 'corrected', 'cancelled')),
    ADD CONSTRAINT invoice_kind_check CHECK (kind IN ('regular', 'annual', 'collective', 'corrective', 'cancelling')),
    ADD CONSTRAINT invoice_language_check CHECK (language IN ('cs', 'en')),
    ADD CONSTRAINT invoice_payable_check CHECK (payable = gross - deducted),
    ADD CONSTRAINT invoice_original_check CHECK (
        kind NOT IN ('corrective', 'cancelling') OR original IS NOT NULL AND reason IS NOT NULL);
CREATE INDEX invoice_contract_ix ON invoice (contract);
CREATE INDEX invoice_original_ix ON invoice (original) WHERE original IS NOT NULL;
COMMENT ON TABLE invoice IS 'Faktura: one document of one payer, for one or more supply points; its kind says which';
COMMENT ON COLUMN invoice.original IS 'The document that this one corrects or cancels';
COMMENT ON COLUMN invoice.deducted IS 'Gross sum of the advances that were deducted';
"""

LINE = """
ALTER TABLE invoice_line
    ADD COLUMN input bigint CONSTRAINT invoice_line_input_fkey REFERENCES settlement_input (id),
    DROP CONSTRAINT invoice_line_information_check;
UPDATE invoice_line l SET input = told.input
  FROM (SELECT i.invoice, b.supply_point, min(b.input) AS input
          FROM invoice_line i JOIN billing_basis b ON b.id = i.basis GROUP BY i.invoice, b.supply_point) told
 WHERE l.information AND told.invoice = l.invoice AND told.supply_point = l.supply_point;
ALTER TABLE invoice_line
    ADD CONSTRAINT invoice_line_information_check
        CHECK (information = (basis IS NULL) AND information = (input IS NOT NULL));
CREATE INDEX invoice_line_input_ix ON invoice_line (input) WHERE input IS NOT NULL;
COMMENT ON TABLE invoice_line IS 'A line of a document: one billing basis, or information with amount 0.00';
COMMENT ON COLUMN invoice_line.input IS 'Of information: the input that tells it';
"""

BACK = """
DO $$ BEGIN
    IF EXISTS (SELECT FROM invoice WHERE kind NOT IN ('regular', 'collective')) THEN
        RAISE EXCEPTION 'There are documents of kinds that the older version does not know; it cannot be gone back to.';
    END IF;
END $$;
ALTER TABLE invoice ADD COLUMN run bigint CONSTRAINT invoice_run_fkey REFERENCES settlement_run (id);
UPDATE invoice i SET run = told.run
  FROM (SELECT l.invoice, min(b.run) AS run FROM invoice_line l JOIN billing_basis b ON b.id = l.basis GROUP BY 1) told
 WHERE told.invoice = i.id;
DROP INDEX invoice_line_input_ix;
ALTER TABLE invoice_line
    DROP CONSTRAINT invoice_line_information_check,
    DROP COLUMN input,
    ADD CONSTRAINT invoice_line_information_check CHECK (information = (basis IS NULL));
UPDATE invoice SET state = 'issued' WHERE state = 'corrected';
ALTER TABLE invoice
    ALTER COLUMN run SET NOT NULL,
    DROP CONSTRAINT invoice_state_check,
    ADD CONSTRAINT invoice_state_check CHECK (state IN ('issued', 'sent', 'cancelled')),
    DROP COLUMN kind, DROP COLUMN contract, DROP COLUMN original, DROP COLUMN reason, DROP COLUMN language,
    DROP COLUMN deducted, DROP COLUMN payable;
CREATE INDEX invoice_run_ix ON invoice (run);
UPDATE invoice_series SET series = left(series, 2);
DROP TABLE document_language;
COMMENT ON TABLE invoice IS 'Faktura: one document of one payer, for one or more supply points';
COMMENT ON TABLE invoice_line IS 'A line of an invoice: one billing basis, or information with amount 0.00';
"""


def upgrade() -> None:
    for part in (LANGUAGE, SERIES, INVOICE, LINE):
        op.execute(part)


def downgrade() -> None:
    op.execute(BACK)
