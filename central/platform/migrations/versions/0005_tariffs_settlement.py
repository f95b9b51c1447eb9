"""tariffs and settlement: legislative packages; runs, inputs, omissions, billing bases."""

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

TARIFFS = """
CREATE TABLE package (
    id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT package_pkey PRIMARY KEY,
    name text NOT NULL,
    version text NOT NULL,
    scope text NOT NULL,
    commodity text NOT NULL CONSTRAINT package_commodity_check CHECK (commodity IN ('electricity', 'gas')),
    valid daterange NOT NULL CONSTRAINT package_valid_check CHECK (NOT isempty(valid)),
    example boolean NOT NULL,
    checksum text NOT NULL,
    signature text,
    content jsonb NOT NULL,
    active boolean NOT NULL,
    installed_at timestamptz NOT NULL,
    installed_by text NOT NULL,
    CONSTRAINT package_name_version_key UNIQUE (name, version),
    CONSTRAINT package_scope_valid_excl EXCLUDE USING gist (scope WITH =, valid WITH &&) WHERE (active)
);
COMMENT ON TABLE package IS
    'Legislativní balíček: dated law as data; a newer version of one name takes the place of the active one';
"""

SETTLEMENT = """
CREATE TABLE settlement_run (
    id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT settlement_run_pkey PRIMARY KEY,
    number text NOT NULL CONSTRAINT settlement_run_number_key UNIQUE,
    month date NOT NULL CONSTRAINT settlement_run_month_check CHECK (extract(day FROM month) = 1),
    state text NOT NULL CONSTRAINT settlement_run_state_check CHECK (state IN ('draft', 'approved')),
    packages jsonb NOT NULL,
    digest text NOT NULL,
    made_at timestamptz NOT NULL,
    made_by text NOT NULL,
    approved_at timestamptz,
    approved_by text,
    CONSTRAINT settlement_run_approved_check CHECK ((state = 'approved') = (approved_at IS NOT NULL))
);
CREATE INDEX settlement_run_month_ix ON settlement_run (month);
COMMENT ON TABLE settlement_run IS
    'Zúčtování: one settlement of a month with the packages it used; approval pins its inputs';

CREATE TABLE settlement_input (
    run bigint NOT NULL CONSTRAINT settlement_input_run_fkey REFERENCES settlement_run (id),
    supply_point bigint NOT NULL CONSTRAINT settlement_input_supply_point_fkey REFERENCES supply_point (id),
    statement_type smallint NOT NULL,
    valid tstzrange NOT NULL,
    approved boolean NOT NULL,
    package text NOT NULL,
    facts jsonb NOT NULL,
    digest text NOT NULL,
    quantities jsonb NOT NULL,
    profiles jsonb NOT NULL,
    readings jsonb NOT NULL,
    information jsonb NOT NULL,
    findings jsonb NOT NULL,
    CONSTRAINT settlement_input_pkey PRIMARY KEY (run, supply_point),
    CONSTRAINT settlement_input_supply_point_valid_excl
        EXCLUDE USING gist (supply_point WITH =, statement_type WITH =, valid WITH &&) WHERE (approved)
);
COMMENT ON TABLE settlement_input IS
    'What a run used for one point: registry facts, profile versions, states; one approved at a time';

CREATE TABLE settlement_omission (
    id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT settlement_omission_pkey PRIMARY KEY,
    run bigint NOT NULL CONSTRAINT settlement_omission_run_fkey REFERENCES settlement_run (id),
    supply_point bigint NOT NULL CONSTRAINT settlement_omission_supply_point_fkey REFERENCES supply_point (id),
    component text NOT NULL,
    day date,
    reason text NOT NULL
);
CREATE INDEX settlement_omission_run_ix ON settlement_omission (run);
COMMENT ON TABLE settlement_omission IS 'A supply point that a run left out, alone, and why';

CREATE TABLE billing_basis (
    id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT billing_basis_pkey PRIMARY KEY,
    run bigint NOT NULL CONSTRAINT billing_basis_run_fkey REFERENCES settlement_run (id),
    supply_point bigint NOT NULL CONSTRAINT billing_basis_supply_point_fkey REFERENCES supply_point (id),
    contract_item bigint NOT NULL CONSTRAINT billing_basis_contract_item_fkey REFERENCES contract_item (id),
    rate integer NOT NULL,
    component text NOT NULL,
    name text NOT NULL,
    quantity numeric NOT NULL,
    unit text NOT NULL,
    unit_price numeric NOT NULL,
    price_unit text NOT NULL,
    amount numeric(14, 2) NOT NULL,
    vat_percent numeric(5, 2) NOT NULL,
    valid tstzrange NOT NULL CONSTRAINT billing_basis_valid_check CHECK (NOT isempty(valid)),
    statement_type smallint NOT NULL
        CONSTRAINT billing_basis_statement_type_check CHECK (statement_type BETWEEN 0 AND 16),
    measurements jsonb NOT NULL,
    why jsonb NOT NULL,
    state text NOT NULL
        CONSTRAINT billing_basis_state_check CHECK (state IN ('new', 'approved', 'invoiced', 'cancelled'))
);
CREATE INDEX billing_basis_run_ix ON billing_basis (run, supply_point);
CREATE INDEX billing_basis_supply_point_ix ON billing_basis (supply_point);
CREATE INDEX billing_basis_contract_item_ix ON billing_basis (contract_item);
COMMENT ON TABLE billing_basis IS
    'Podklad pro fakturaci: one line to be invoiced, by rate code (sazba) and statement type';
"""


def upgrade() -> None:
    """Create both rooms' tables."""
    for script in (TARIFFS, SETTLEMENT):
        op.execute(script)


def downgrade() -> None:
    """Drop both rooms' tables."""
    for table in ("billing_basis", "settlement_omission", "settlement_input", "settlement_run", "package"):
        op.execute(f"DROP TABLE {table}")
