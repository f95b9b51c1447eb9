"""advances: prescriptions with parts, deposits, their tax documents and deductions; year-end runs; degree days."""

from alembic import op

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None

SPREAD = """
ALTER TABLE contract
    DROP CONSTRAINT contract_advance_spread_check,
    ADD CONSTRAINT contract_advance_spread_check CHECK (advance_spread IN ('even', 'manual', 'curve', 'expected'));
"""

ADVANCES = """
CREATE TABLE advance (
    id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT advance_pkey PRIMARY KEY,
    number text CONSTRAINT advance_number_key UNIQUE,
    contract bigint NOT NULL CONSTRAINT advance_contract_fkey REFERENCES contract (id),
    seller bigint NOT NULL CONSTRAINT advance_seller_fkey REFERENCES party (id),
    payer bigint NOT NULL CONSTRAINT advance_payer_fkey REFERENCES party (id),
    period daterange NOT NULL,
    due date NOT NULL,
    amount numeric(14, 2) NOT NULL CONSTRAINT advance_amount_check CHECK (amount > 0),
    vat_percent numeric(5, 2) NOT NULL CONSTRAINT advance_vat_percent_check CHECK (vat_percent BETWEEN 0 AND 100),
    currency text NOT NULL CONSTRAINT advance_currency_check CHECK (currency ~ '^[A-Z]{3}$'),
    state text NOT NULL
        CONSTRAINT advance_state_check CHECK (state IN ('prescribed', 'sent', 'paid', 'deducted', 'cancelled')),
    issued_on date,
    made_at timestamptz NOT NULL,
    made_by text NOT NULL,
    CONSTRAINT advance_period_check CHECK (NOT isempty(period) AND NOT lower_inf(period) AND NOT upper_inf(period)),
    CONSTRAINT advance_issued_check CHECK ((number IS NULL) = (issued_on IS NULL)),
    CONSTRAINT advance_number_check CHECK (number IS NOT NULL OR state IN ('prescribed', 'cancelled')),
    CONSTRAINT advance_one_excl EXCLUDE USING gist
        (contract WITH =, seller WITH =, payer WITH =, period WITH &&) WHERE (state <> 'cancelled')
);
CREATE INDEX advance_due_ix ON advance (due, id);
CREATE INDEX advance_payer_ix ON advance (payer, due, id);
COMMENT ON TABLE advance IS
    'Předpis zálohy: what a payer is asked for a contract''s period; numbered and an open item once it is sent';

CREATE TABLE advance_part (
    advance bigint NOT NULL CONSTRAINT advance_part_advance_fkey REFERENCES advance (id) ON DELETE CASCADE,
    supply_point bigint NOT NULL CONSTRAINT advance_part_supply_point_fkey REFERENCES supply_point (id),
    amount numeric(14, 2) NOT NULL CONSTRAINT advance_part_amount_check CHECK (amount >= 0),
    CONSTRAINT advance_part_pkey PRIMARY KEY (advance, supply_point)
);
CREATE INDEX advance_part_supply_point_ix ON advance_part (supply_point);
COMMENT ON TABLE advance_part IS 'The part of an advance for one supply point; the parts sum to the advance';

CREATE TABLE advance_document (
    id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT advance_document_pkey PRIMARY KEY,
    number text NOT NULL CONSTRAINT advance_document_number_key UNIQUE,
    document_type smallint NOT NULL
        CONSTRAINT advance_document_document_type_check CHECK (document_type IN (5, 6)),
    seller bigint NOT NULL CONSTRAINT advance_document_seller_fkey REFERENCES party (id),
    payer bigint NOT NULL CONSTRAINT advance_document_payer_fkey REFERENCES party (id),
    payment bigint,
    issue_date date NOT NULL,
    tax_date date NOT NULL,
    currency text NOT NULL CONSTRAINT advance_document_currency_check CHECK (currency ~ '^[A-Z]{3}$'),
    vat_rows jsonb NOT NULL,
    net numeric(14, 2) NOT NULL,
    vat numeric(14, 2) NOT NULL,
    gross numeric(14, 2) NOT NULL,
    original bigint CONSTRAINT advance_document_original_fkey REFERENCES advance_document (id),
    reason text,
    issued_at timestamptz NOT NULL,
    issued_by text NOT NULL,
    CONSTRAINT advance_document_gross_check CHECK (net + vat = gross),
    CONSTRAINT advance_document_sign_check CHECK ((document_type = 6) = (gross < 0)),
    CONSTRAINT advance_document_credit_check
        CHECK ((document_type = 6) = (original IS NOT NULL) AND (document_type = 6) = (reason IS NOT NULL))
);
CREATE INDEX advance_document_payer_ix ON advance_document (payer, tax_date, id);
CREATE INDEX advance_document_payment_ix ON advance_document (payment);
CREATE INDEX advance_document_original_ix ON advance_document (original);
COMMENT ON TABLE advance_document IS
    'Daňový doklad k přijaté platbě (5) and its credit note (6): one a customer and payment';

CREATE TABLE advance_deposit (
    id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT advance_deposit_pkey PRIMARY KEY,
    advance bigint NOT NULL CONSTRAINT advance_deposit_advance_fkey REFERENCES advance (id),
    payment bigint,
    allocation bigint NOT NULL CONSTRAINT advance_deposit_allocation_key UNIQUE,
    received_on date NOT NULL,
    amount numeric(14, 2) NOT NULL CONSTRAINT advance_deposit_amount_check CHECK (amount > 0),
    vat_percent numeric(5, 2) NOT NULL,
    vat numeric(14, 2) NOT NULL,
    document bigint CONSTRAINT advance_deposit_document_fkey REFERENCES advance_document (id),
    credit_note bigint CONSTRAINT advance_deposit_credit_note_fkey REFERENCES advance_document (id),
    deducted numeric(14, 2) NOT NULL DEFAULT 0,
    released_on date,
    CONSTRAINT advance_deposit_vat_check CHECK (vat BETWEEN 0 AND amount AND (document IS NOT NULL OR vat = 0)),
    CONSTRAINT advance_deposit_deducted_check CHECK (deducted BETWEEN 0 AND amount),
    CONSTRAINT advance_deposit_released_check CHECK (released_on IS NULL OR deducted = 0),
    CONSTRAINT advance_deposit_credit_note_check CHECK (credit_note IS NULL OR released_on IS NOT NULL)
);
CREATE INDEX advance_deposit_advance_ix ON advance_deposit (advance);
CREATE INDEX advance_deposit_document_ix ON advance_deposit (document);
COMMENT ON TABLE advance_deposit IS
    'Přijatá záloha: a payment allocated to an advance, its VAT from inside, and how much of it is deducted';

CREATE TABLE advance_deduction (
    id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT advance_deduction_pkey PRIMARY KEY,
    deposit bigint NOT NULL CONSTRAINT advance_deduction_deposit_fkey REFERENCES advance_deposit (id),
    invoice bigint NOT NULL CONSTRAINT advance_deduction_invoice_fkey REFERENCES invoice (id),
    amount numeric(14, 2) NOT NULL CONSTRAINT advance_deduction_amount_check CHECK (amount > 0),
    vat numeric(14, 2) NOT NULL CONSTRAINT advance_deduction_vat_check CHECK (vat >= 0),
    made_at timestamptz NOT NULL,
    undone_at timestamptz
);
CREATE UNIQUE INDEX advance_deduction_once_ix ON advance_deduction (deposit, invoice) WHERE undone_at IS NULL;
CREATE INDEX advance_deduction_invoice_ix ON advance_deduction (invoice);
COMMENT ON TABLE advance_deduction IS 'Odpočet zálohy: how much of a received advance an invoice took off, and its VAT';

CREATE TABLE advance_file (
    id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT advance_file_pkey PRIMARY KEY,
    advance bigint CONSTRAINT advance_file_advance_fkey REFERENCES advance (id),
    document bigint CONSTRAINT advance_file_document_fkey REFERENCES advance_document (id),
    kind text NOT NULL CONSTRAINT advance_file_kind_check CHECK (kind IN ('pdf', 'isdoc')),
    content bytea NOT NULL,
    digest text NOT NULL,
    CONSTRAINT advance_file_owner_check CHECK (num_nonnulls(advance, document) = 1),
    CONSTRAINT advance_file_advance_kind_key UNIQUE (advance, kind),
    CONSTRAINT advance_file_document_kind_key UNIQUE (document, kind)
);
COMMENT ON TABLE advance_file IS 'The paper of an advance or of its tax document, never made again';
"""

PREDICTION = """
CREATE TABLE degree_day (
    zone text NOT NULL,
    month date NOT NULL CONSTRAINT degree_day_month_check CHECK (extract(day FROM month) = 1),
    normal numeric(8, 1) NOT NULL CONSTRAINT degree_day_normal_check CHECK (normal >= 0),
    actual numeric(8, 1) NOT NULL CONSTRAINT degree_day_actual_check CHECK (actual >= 0),
    source text NOT NULL,
    CONSTRAINT degree_day_pkey PRIMARY KEY (zone, month)
);
COMMENT ON TABLE degree_day IS 'Denostupně: normal and actual degree days of a month in a temperature zone';

CREATE TABLE year_end (
    id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT year_end_pkey PRIMARY KEY,
    year integer NOT NULL CONSTRAINT year_end_year_check CHECK (year BETWEEN 1990 AND 2400),
    kind text NOT NULL CONSTRAINT year_end_kind_check CHECK (kind IN ('annual', 'accrual', 'accrual_cancel')),
    made_at timestamptz NOT NULL,
    made_by text NOT NULL,
    CONSTRAINT year_end_year_kind_key UNIQUE (year, kind)
);
COMMENT ON TABLE year_end IS 'Year-end work of one kind: annual statements, accrual bases, or the cancelling of these';

CREATE TABLE year_end_contract (
    year_end bigint NOT NULL CONSTRAINT year_end_contract_year_end_fkey REFERENCES year_end (id),
    contract bigint NOT NULL CONSTRAINT year_end_contract_contract_fkey REFERENCES contract (id),
    state text NOT NULL
        CONSTRAINT year_end_contract_state_check CHECK (state IN ('waiting', 'done', 'failed')),
    reason text,
    run bigint CONSTRAINT year_end_contract_run_fkey REFERENCES settlement_run (id),
    done_at timestamptz,
    CONSTRAINT year_end_contract_pkey PRIMARY KEY (year_end, contract),
    CONSTRAINT year_end_contract_done_check CHECK ((state = 'waiting') = (done_at IS NULL)),
    CONSTRAINT year_end_contract_reason_check CHECK (state <> 'failed' OR reason IS NOT NULL)
);
CREATE INDEX year_end_contract_contract_ix ON year_end_contract (contract);
CREATE INDEX year_end_contract_run_ix ON year_end_contract (run);
COMMENT ON TABLE year_end_contract IS 'A contract in year-end work: waiting, done with its run, or failed and why';
"""

BACK = """
DROP TABLE year_end_contract, year_end, degree_day, advance_file, advance_deduction, advance_deposit, advance_document,
           advance_part, advance;
UPDATE contract SET advance_spread = 'even' WHERE advance_spread IN ('curve', 'expected');
UPDATE contract_past SET advance_spread = 'even' WHERE advance_spread IN ('curve', 'expected');
ALTER TABLE contract
    DROP CONSTRAINT contract_advance_spread_check,
    ADD CONSTRAINT contract_advance_spread_check CHECK (advance_spread IN ('even', 'manual'));
"""


def upgrade() -> None:
    op.execute(SPREAD)
    op.execute(ADVANCES)
    op.execute(PREDICTION)


def downgrade() -> None:
    op.execute(BACK)
