"""checks and invoicing: settings, runs, results and verdicts; number series, invoices, lines, files."""

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

CHECKS = """
CREATE TABLE check_definition (
    number integer CONSTRAINT check_definition_pkey PRIMARY KEY,
    kind text NOT NULL CONSTRAINT check_definition_kind_check CHECK (kind IN ('standard', 'customer')),
    name_cs text NOT NULL,
    name_en text NOT NULL,
    check_group text NOT NULL,
    active boolean NOT NULL,
    groups text[] NOT NULL,
    statements text[] NOT NULL,
    output text NOT NULL CONSTRAINT check_definition_output_check CHECK (output IN ('all', 'errors'))
);
COMMENT ON TABLE check_definition IS 'Kontrola: what it is called and how the operator has set it';

CREATE TABLE check_setting (
    name text CONSTRAINT check_setting_pkey PRIMARY KEY,
    value text NOT NULL
);
COMMENT ON TABLE check_setting IS 'Settings that concern all checks, such as preventing the invoicing';

CREATE TABLE check_run (
    id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT check_run_pkey PRIMARY KEY,
    kind text NOT NULL CONSTRAINT check_run_kind_check CHECK (kind IN ('automatic', 'manual', 'invoicing')),
    scope jsonb NOT NULL,
    made_at timestamptz NOT NULL,
    made_by text NOT NULL,
    bases integer NOT NULL,
    results jsonb NOT NULL
);
COMMENT ON TABLE check_run IS 'One pass of the active checks over a set of bases';

CREATE TABLE check_result (
    run bigint NOT NULL CONSTRAINT check_result_run_fkey REFERENCES check_run (id),
    check_number integer NOT NULL
        CONSTRAINT check_result_check_number_fkey REFERENCES check_definition (number),
    basis bigint NOT NULL CONSTRAINT check_result_basis_fkey REFERENCES billing_basis (id),
    result smallint NOT NULL CONSTRAINT check_result_result_check CHECK (result BETWEEN 1 AND 5),
    text_cs text NOT NULL,
    text_en text NOT NULL,
    logged boolean NOT NULL,
    CONSTRAINT check_result_pkey PRIMARY KEY (run, check_number, basis)
);
CREATE INDEX check_result_basis_ix ON check_result (basis);
COMMENT ON TABLE check_result IS
    'Výsledek kontroly: one check about one basis in one run; logged: shown in the process log';

CREATE TABLE check_message (
    id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT check_message_pkey PRIMARY KEY,
    run bigint NOT NULL CONSTRAINT check_message_run_fkey REFERENCES check_run (id),
    check_number integer CONSTRAINT check_message_check_number_fkey REFERENCES check_definition (number),
    result smallint NOT NULL,
    text_cs text NOT NULL,
    text_en text NOT NULL
);
CREATE INDEX check_message_run_ix ON check_message (run);
COMMENT ON TABLE check_message IS 'Messages of the process log (procesní okno) that belong to no basis';

CREATE TABLE basis_verdict (
    basis bigint CONSTRAINT basis_verdict_pkey PRIMARY KEY
        CONSTRAINT basis_verdict_basis_fkey REFERENCES billing_basis (id),
    run bigint NOT NULL CONSTRAINT basis_verdict_run_fkey REFERENCES check_run (id),
    result smallint NOT NULL CONSTRAINT basis_verdict_result_check CHECK (result BETWEEN 0 AND 5),
    text_cs text NOT NULL,
    text_en text NOT NULL,
    cancelled_at timestamptz,
    cancelled_by text,
    CONSTRAINT basis_verdict_cancelled_check CHECK ((result = 4) = (cancelled_at IS NOT NULL)),
    CONSTRAINT basis_verdict_cancelled_by_check CHECK ((cancelled_at IS NULL) = (cancelled_by IS NULL))
);
COMMENT ON TABLE basis_verdict IS
    'What a basis shows: the worst result over all checks that ran on it, and who cancelled its error';
"""

INVOICING = """
CREATE TABLE invoice_series (
    series text CONSTRAINT invoice_series_pkey PRIMARY KEY,
    last bigint NOT NULL CONSTRAINT invoice_series_last_check CHECK (last >= 0)
);
COMMENT ON TABLE invoice_series IS
    'Číselná řada: the last number given; its row is locked by whoever issues, so numbers have no holes';

CREATE TABLE invoice (
    id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT invoice_pkey PRIMARY KEY,
    number text NOT NULL CONSTRAINT invoice_number_key UNIQUE,
    document_type smallint NOT NULL
        CONSTRAINT invoice_document_type_check CHECK (document_type BETWEEN 1 AND 7),
    state text NOT NULL CONSTRAINT invoice_state_check CHECK (state IN ('issued', 'sent', 'cancelled')),
    run bigint NOT NULL CONSTRAINT invoice_run_fkey REFERENCES settlement_run (id),
    supplier bigint NOT NULL CONSTRAINT invoice_supplier_fkey REFERENCES party (id),
    payer bigint NOT NULL CONSTRAINT invoice_payer_fkey REFERENCES party (id),
    issue_date date NOT NULL,
    tax_date date NOT NULL,
    due_date date NOT NULL,
    variable_symbol text NOT NULL,
    currency text NOT NULL,
    net numeric(14, 2) NOT NULL,
    vat numeric(14, 2) NOT NULL,
    gross numeric(14, 2) NOT NULL,
    vat_rows jsonb NOT NULL,
    issued_at timestamptz NOT NULL,
    issued_by text NOT NULL,
    CONSTRAINT invoice_gross_check CHECK (net + vat = gross),
    CONSTRAINT invoice_due_date_check CHECK (due_date >= issue_date)
);
CREATE INDEX invoice_run_ix ON invoice (run);
CREATE INDEX invoice_payer_ix ON invoice (payer);
COMMENT ON TABLE invoice IS 'Faktura: one document of one payer, for one or more supply points';

CREATE TABLE invoice_line (
    invoice bigint NOT NULL CONSTRAINT invoice_line_invoice_fkey REFERENCES invoice (id),
    line_no integer NOT NULL,
    basis bigint CONSTRAINT invoice_line_basis_key UNIQUE
        CONSTRAINT invoice_line_basis_fkey REFERENCES billing_basis (id),
    supply_point bigint NOT NULL CONSTRAINT invoice_line_supply_point_fkey REFERENCES supply_point (id),
    rate integer NOT NULL,
    name text NOT NULL,
    quantity numeric NOT NULL,
    unit text NOT NULL,
    unit_price numeric NOT NULL,
    price_unit text NOT NULL,
    amount numeric(14, 2) NOT NULL,
    vat_percent numeric(5, 2) NOT NULL,
    information boolean NOT NULL,
    CONSTRAINT invoice_line_pkey PRIMARY KEY (invoice, line_no),
    CONSTRAINT invoice_line_information_check CHECK (information = (basis IS NULL)),
    CONSTRAINT invoice_line_amount_check CHECK (NOT information OR amount = 0)
);
CREATE INDEX invoice_line_supply_point_ix ON invoice_line (supply_point);
COMMENT ON TABLE invoice_line IS 'A line of an invoice: one billing basis, or information with amount 0.00';

CREATE TABLE invoice_file (
    invoice bigint NOT NULL CONSTRAINT invoice_file_invoice_fkey REFERENCES invoice (id),
    kind text NOT NULL CONSTRAINT invoice_file_kind_check CHECK (kind IN ('pdf', 'isdoc')),
    content bytea NOT NULL,
    digest text NOT NULL,
    CONSTRAINT invoice_file_pkey PRIMARY KEY (invoice, kind)
);
COMMENT ON TABLE invoice_file IS 'The issued documents themselves, never made again';
"""

TABLES = (
    "invoice_file",
    "invoice_line",
    "invoice",
    "invoice_series",
    "basis_verdict",
    "check_message",
    "check_result",
    "check_run",
    "check_setting",
    "check_definition",
)


def upgrade() -> None:
    """Create both rooms' tables."""
    for script in (CHECKS, INVOICING):
        op.execute(script)


def downgrade() -> None:
    """Drop both rooms' tables."""
    for table in TABLES:
        op.execute(f"DROP TABLE {table}")
