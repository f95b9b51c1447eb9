"""settlement core: runs of any period and statement, inputs per contract item, bases with both sides and their past."""

from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None

RUN = """
ALTER TABLE settlement_run ADD COLUMN period daterange;
UPDATE settlement_run SET period = daterange(month, (month + interval '1 month')::date);
ALTER TABLE settlement_run
    ALTER COLUMN period SET NOT NULL,
    ADD CONSTRAINT settlement_run_period_check
        CHECK (NOT isempty(period) AND NOT lower_inf(period) AND NOT upper_inf(period)),
    DROP COLUMN month,
    ADD COLUMN statement text NOT NULL DEFAULT 'regular',
    ADD COLUMN scope jsonb NOT NULL DEFAULT '{}',
    ADD CONSTRAINT settlement_run_statement_check
        CHECK (statement IN ('regular', 'preliminary', 'accrual', 'annual', 'corrective', 'final'));
ALTER TABLE settlement_run ALTER COLUMN statement DROP DEFAULT, ALTER COLUMN scope DROP DEFAULT;
CREATE INDEX settlement_run_period_ix ON settlement_run USING gist (period);
COMMENT ON TABLE settlement_run IS
    'Zúčtování: one settlement of a period with the packages it used; approval pins its inputs';
"""

INPUT = """
ALTER TABLE settlement_input
    DROP CONSTRAINT settlement_input_pkey,
    DROP CONSTRAINT settlement_input_supply_point_valid_excl,
    ADD COLUMN id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT settlement_input_pkey PRIMARY KEY,
    ADD COLUMN contract_item bigint
        CONSTRAINT settlement_input_contract_item_fkey REFERENCES contract_item (id);
UPDATE settlement_input SET contract_item = (facts #>> '{item,id}')::bigint;
ALTER TABLE settlement_input
    ALTER COLUMN contract_item SET NOT NULL,
    ADD CONSTRAINT settlement_input_contract_item_valid_excl
        EXCLUDE USING gist (contract_item WITH =, statement_type WITH =, valid WITH &&) WHERE (approved),
    ADD CONSTRAINT settlement_input_run_contract_item_statement_type_valid_key
        UNIQUE (run, contract_item, statement_type, valid);
CREATE INDEX settlement_input_supply_point_ix ON settlement_input (supply_point);
COMMENT ON TABLE settlement_input IS
    'What a run used for one contract item of a point: registry facts, profile versions, states; one approved '
    'at a time';
"""

BASIS = """
ALTER TABLE billing_basis
    ALTER COLUMN run DROP NOT NULL,
    ADD COLUMN input bigint CONSTRAINT billing_basis_input_fkey REFERENCES settlement_input (id),
    ADD COLUMN contract bigint CONSTRAINT billing_basis_contract_fkey REFERENCES contract (id),
    ADD COLUMN customer bigint CONSTRAINT billing_basis_customer_fkey REFERENCES party (id),
    ADD COLUMN payer bigint CONSTRAINT billing_basis_payer_fkey REFERENCES party (id),
    ADD COLUMN seller bigint CONSTRAINT billing_basis_seller_fkey REFERENCES party (id),
    ADD COLUMN service text NOT NULL DEFAULT 'distribution',
    ADD COLUMN fingerprint text,
    ADD COLUMN original bigint CONSTRAINT billing_basis_original_fkey REFERENCES billing_basis (id),
    ADD COLUMN reason text,
    ADD COLUMN made_at timestamptz,
    ADD COLUMN made_by text;
UPDATE billing_basis b
   SET input = si.id, contract = (si.facts #>> '{contract,id}')::bigint,
       customer = (si.facts #>> '{contract,customer,id}')::bigint,
       payer = (si.facts #>> '{contract,payer,id}')::bigint,
       seller = (si.facts #>> '{supply_point,operator,id}')::bigint
  FROM settlement_input si WHERE si.run = b.run AND si.supply_point = b.supply_point;
UPDATE billing_basis b
   SET contract = coalesce(b.contract, i.contract), customer = coalesce(b.customer, c.customer),
       payer = coalesce(b.payer, c.payer), seller = coalesce(b.seller, sp.operator)
  FROM contract_item i JOIN contract c ON c.id = i.contract JOIN supply_point sp ON sp.id = i.supply_point
 WHERE i.id = b.contract_item AND (b.contract IS NULL OR b.customer IS NULL OR b.payer IS NULL OR b.seller IS NULL);
UPDATE billing_basis b SET made_at = r.made_at, made_by = r.made_by FROM settlement_run r WHERE r.id = b.run;
UPDATE billing_basis SET fingerprint = '' WHERE fingerprint IS NULL;
ALTER TABLE billing_basis
    ALTER COLUMN contract SET NOT NULL,
    ALTER COLUMN customer SET NOT NULL,
    ALTER COLUMN payer SET NOT NULL,
    ALTER COLUMN seller SET NOT NULL,
    ALTER COLUMN service DROP DEFAULT,
    ALTER COLUMN fingerprint SET NOT NULL,
    ALTER COLUMN made_at SET NOT NULL,
    ALTER COLUMN made_by SET NOT NULL,
    ADD CONSTRAINT billing_basis_service_check CHECK (service IN ('distribution', 'supply', 'other', 'purchase')),
    ADD CONSTRAINT billing_basis_never_invoiced_check CHECK (service <> 'purchase' OR state <> 'invoiced'),
    ADD CONSTRAINT billing_basis_cancelling_check
        CHECK (statement_type NOT IN (7, 12, 13, 14, 16) OR original IS NOT NULL),
    ADD CONSTRAINT billing_basis_reason_check
        CHECK (statement_type NOT IN (7, 8, 9, 10, 12, 13, 14, 15, 16) OR reason IS NOT NULL);
CREATE INDEX billing_basis_input_ix ON billing_basis (input);
CREATE INDEX billing_basis_original_ix ON billing_basis (original) WHERE original IS NOT NULL;
CREATE INDEX billing_basis_contract_ix ON billing_basis (contract);
CREATE INDEX billing_basis_payer_ix ON billing_basis (payer) WHERE state = 'approved';
COMMENT ON COLUMN billing_basis.run IS 'NULL: made by hand';
COMMENT ON COLUMN billing_basis.fingerprint IS
    'Digest of everything the line says; an update keeps a basis whose fingerprint stays';
COMMENT ON COLUMN billing_basis.original IS 'The basis that this one cancels, corrects or settles';
"""

BACK = """
DELETE FROM billing_basis WHERE run IS NULL;
DROP INDEX billing_basis_input_ix, billing_basis_original_ix, billing_basis_contract_ix, billing_basis_payer_ix;
ALTER TABLE billing_basis
    ALTER COLUMN run SET NOT NULL,
    DROP COLUMN input, DROP COLUMN contract, DROP COLUMN customer, DROP COLUMN payer, DROP COLUMN seller,
    DROP COLUMN service, DROP COLUMN fingerprint, DROP COLUMN original, DROP COLUMN reason, DROP COLUMN made_at,
    DROP COLUMN made_by;
DROP INDEX settlement_input_supply_point_ix;
ALTER TABLE settlement_input
    DROP CONSTRAINT settlement_input_contract_item_valid_excl,
    DROP CONSTRAINT settlement_input_run_contract_item_statement_type_valid_key,
    DROP CONSTRAINT settlement_input_pkey,
    DROP COLUMN id, DROP COLUMN contract_item,
    ADD CONSTRAINT settlement_input_pkey PRIMARY KEY (run, supply_point),
    ADD CONSTRAINT settlement_input_supply_point_valid_excl
        EXCLUDE USING gist (supply_point WITH =, statement_type WITH =, valid WITH &&) WHERE (approved);
DROP INDEX settlement_run_period_ix;
ALTER TABLE settlement_run ADD COLUMN month date;
UPDATE settlement_run SET month = date_trunc('month', lower(period))::date;
ALTER TABLE settlement_run
    ALTER COLUMN month SET NOT NULL,
    ADD CONSTRAINT settlement_run_month_check CHECK (extract(day FROM month) = 1),
    DROP COLUMN period, DROP COLUMN statement, DROP COLUMN scope;
CREATE INDEX settlement_run_month_ix ON settlement_run (month);
COMMENT ON TABLE settlement_run IS
    'Zúčtování: one settlement of a month with the packages it used; approval pins its inputs';
"""


def upgrade() -> None:
    op.execute(RUN)
    op.execute(INPUT)
    op.execute(BASIS)


def downgrade() -> None:
    op.execute(BACK)
