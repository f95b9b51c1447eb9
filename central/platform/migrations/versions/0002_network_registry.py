"""registry and network: parties, points, contracts; concentrators, meters, channels, mappings."""

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

REGISTRY = """
CREATE TABLE party (
    id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT party_pkey PRIMARY KEY,
    code text NOT NULL CONSTRAINT party_code_key UNIQUE,
    name text NOT NULL,
    role text NOT NULL CONSTRAINT party_role_check
        CHECK (role IN ('operator', 'customer', 'supplier', 'superior_distributor', 'market_operator')),
    ico text,
    dic text,
    street text NOT NULL,
    city text NOT NULL,
    postal_code text NOT NULL,
    country text NOT NULL DEFAULT 'CZ',
    ean13 text CONSTRAINT party_ean13_key UNIQUE CONSTRAINT party_ean13_check CHECK (ean13 ~ '^[0-9]{13}$'),
    eic text,
    iban text,
    licence text,
    registration text,
    vat_payer boolean NOT NULL DEFAULT true,
    email text,
    superior bigint CONSTRAINT party_superior_fkey REFERENCES party (id)
);
COMMENT ON TABLE party IS
    'Subjekt: licence holder, customer or payer, supplier, superior distributor, market operator';

CREATE TABLE supply_point (
    id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT supply_point_pkey PRIMARY KEY,
    ean text NOT NULL CONSTRAINT supply_point_ean_key UNIQUE,
    name text NOT NULL,
    object text NOT NULL,
    street text NOT NULL,
    city text NOT NULL,
    postal_code text NOT NULL,
    commodity text NOT NULL CONSTRAINT supply_point_commodity_check CHECK (commodity IN ('electricity', 'gas')),
    point_type text NOT NULL DEFAULT 'consumption' CONSTRAINT supply_point_point_type_check
        CHECK (point_type IN ('consumption', 'production', 'entry')),
    voltage_level text CONSTRAINT supply_point_voltage_level_check CHECK (voltage_level IN ('VVN', 'VN', 'NN')),
    metering_type text CONSTRAINT supply_point_metering_type_check
        CHECK (metering_type IN ('A', 'B', 'C1', 'C2', 'C3', 'C4')),
    category text NOT NULL DEFAULT 'business' CONSTRAINT supply_point_category_check
        CHECK (category IN ('household', 'business')),
    load_profile_class text,
    operator bigint NOT NULL CONSTRAINT supply_point_operator_fkey REFERENCES party (id),
    supplier bigint CONSTRAINT supply_point_supplier_fkey REFERENCES party (id),
    CONSTRAINT supply_point_ean_check CHECK (
        CASE commodity WHEN 'electricity' THEN ean ~ '^[0-9]{18}$' ELSE ean ~ '^[0-9A-Z-]{15}[0-9A-Z]$' END),
    CONSTRAINT supply_point_level_of_commodity_check
        CHECK ((commodity = 'electricity') = (voltage_level IS NOT NULL))
);
COMMENT ON TABLE supply_point IS
    'Odběrné nebo předávací místo (OPM); ean holds EAN 18 for electricity, EIC 16 for gas';

CREATE TABLE contract (
    id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT contract_pkey PRIMARY KEY,
    number text NOT NULL CONSTRAINT contract_number_key UNIQUE,
    kind text NOT NULL CONSTRAINT contract_kind_check
        CHECK (kind IN ('connection', 'distribution', 'framework', 'combined', 'supply', 'purchase')),
    customer bigint NOT NULL CONSTRAINT contract_customer_fkey REFERENCES party (id),
    payer bigint NOT NULL CONSTRAINT contract_payer_fkey REFERENCES party (id),
    valid daterange NOT NULL CONSTRAINT contract_valid_check CHECK (NOT isempty(valid))
);
CREATE INDEX contract_customer_ix ON contract (customer);
CREATE INDEX contract_payer_ix ON contract (payer);
COMMENT ON TABLE contract IS 'Smlouva: the customer takes the service, the payer gets the invoice';

CREATE TABLE contract_item (
    id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT contract_item_pkey PRIMARY KEY,
    contract bigint NOT NULL CONSTRAINT contract_item_contract_fkey REFERENCES contract (id),
    supply_point bigint NOT NULL CONSTRAINT contract_item_supply_point_fkey REFERENCES supply_point (id),
    prices text NOT NULL,
    rate text,
    breaker_phases smallint CONSTRAINT contract_item_breaker_phases_check CHECK (breaker_phases IN (1, 3)),
    breaker_amps integer CONSTRAINT contract_item_breaker_amps_check CHECK (breaker_amps > 0),
    reserved_capacity_year_kw numeric(12, 3),
    reserved_capacity_month_kw numeric(12, 3),
    reserved_input_kw numeric(12, 3),
    annual_mwh numeric(14, 3),
    gas_daily_capacity_m3 numeric(14, 3),
    valid daterange NOT NULL CONSTRAINT contract_item_valid_check CHECK (NOT isempty(valid)),
    CONSTRAINT contract_item_breaker_check CHECK ((breaker_phases IS NULL) = (breaker_amps IS NULL)),
    CONSTRAINT contract_item_not_negative_check CHECK (
        least(reserved_capacity_year_kw, reserved_capacity_month_kw, reserved_input_kw, annual_mwh,
              gas_daily_capacity_m3) >= 0),
    CONSTRAINT contract_item_supply_point_valid_excl EXCLUDE USING gist (supply_point WITH =, valid WITH &&)
);
CREATE INDEX contract_item_contract_ix ON contract_item (contract);
COMMENT ON TABLE contract_item IS
    'Položka smlouvy: one supply point under a contract, with price list, rate, breaker or capacities';
"""

NETWORK = """
CREATE TABLE concentrator (
    id text CONSTRAINT concentrator_pkey PRIMARY KEY,
    name text NOT NULL,
    place text NOT NULL
);
COMMENT ON TABLE concentrator IS
    'Koncentrátor: the edge agent that reads meters; its id is the edge id on the wire';

CREATE TABLE meter (
    id text CONSTRAINT meter_pkey PRIMARY KEY,
    serial text NOT NULL,
    model text NOT NULL,
    commodity text NOT NULL CONSTRAINT meter_commodity_check CHECK (commodity IN ('electricity', 'gas')),
    concentrator text NOT NULL CONSTRAINT meter_concentrator_fkey REFERENCES concentrator (id),
    place text NOT NULL DEFAULT '',
    CONSTRAINT meter_model_serial_key UNIQUE (model, serial)
);
CREATE INDEX meter_concentrator_ix ON meter (concentrator);
COMMENT ON TABLE meter IS 'Měřidlo: a physical meter; its id is the device id on the wire';

CREATE TABLE evidence_channel (
    id integer GENERATED ALWAYS AS IDENTITY CONSTRAINT evidence_channel_pkey PRIMARY KEY,
    concentrator text NOT NULL CONSTRAINT evidence_channel_concentrator_fkey REFERENCES concentrator (id),
    device text NOT NULL CONSTRAINT evidence_channel_device_fkey REFERENCES meter (id),
    register text NOT NULL,
    unit text NOT NULL,
    exponent integer NOT NULL,
    kind text NOT NULL CONSTRAINT evidence_channel_kind_check CHECK (kind IN ('interval', 'state')),
    step_ms integer NOT NULL CONSTRAINT evidence_channel_step_check
        CHECK (step_ms >= 0 AND (kind = 'state') = (step_ms = 0)),
    min_value bigint,
    max_value bigint,
    CONSTRAINT evidence_channel_concentrator_device_register_key UNIQUE (concentrator, device, register),
    CONSTRAINT evidence_channel_limits_check CHECK (min_value <= max_value)
);
CREATE INDEX evidence_channel_device_ix ON evidence_channel (device);
COMMENT ON TABLE evidence_channel IS
    'A physical register as delivered: integers in unit x 10^exponent; step_ms 0 for states';

CREATE TABLE channel (
    id integer GENERATED ALWAYS AS IDENTITY CONSTRAINT channel_pkey PRIMARY KEY,
    supply_point bigint CONSTRAINT channel_supply_point_fkey REFERENCES supply_point (id),
    point text NOT NULL,
    direction text NOT NULL CONSTRAINT channel_direction_check
        CHECK (direction IN ('A+', 'A-', 'R+', 'R-', 'V', 'VT', 'NT', 'JT')),
    commodity text NOT NULL CONSTRAINT channel_commodity_check CHECK (commodity IN ('electricity', 'gas')),
    unit text NOT NULL,
    exponent integer NOT NULL,
    kind text NOT NULL CONSTRAINT channel_kind_check CHECK (kind IN ('interval', 'state')),
    step_ms integer NOT NULL CONSTRAINT channel_step_check
        CHECK (step_ms >= 0 AND (kind = 'state') = (step_ms = 0)),
    CONSTRAINT channel_point_direction_kind_key UNIQUE (point, direction, kind)
);
CREATE INDEX channel_supply_point_ix ON channel (supply_point);
COMMENT ON TABLE channel IS
    'What is settled: outlives the meters that feed it; point is the metering point''s name';

CREATE TABLE channel_mapping (
    id integer GENERATED ALWAYS AS IDENTITY CONSTRAINT channel_mapping_pkey PRIMARY KEY,
    evidence_channel integer NOT NULL CONSTRAINT channel_mapping_evidence_channel_fkey REFERENCES evidence_channel (id),
    channel integer NOT NULL CONSTRAINT channel_mapping_channel_fkey REFERENCES channel (id),
    multiplier integer NOT NULL DEFAULT 1 CONSTRAINT channel_mapping_multiplier_check CHECK (multiplier > 0),
    sign smallint NOT NULL DEFAULT 1 CONSTRAINT channel_mapping_sign_check CHECK (sign IN (-1, 1)),
    valid tstzrange NOT NULL CONSTRAINT channel_mapping_valid_check CHECK (NOT isempty(valid)),
    consolidated_at timestamptz,
    CONSTRAINT channel_mapping_evidence_channel_valid_excl
        EXCLUDE USING gist (evidence_channel WITH =, valid WITH &&),
    CONSTRAINT channel_mapping_channel_valid_excl EXCLUDE USING gist (channel WITH =, valid WITH &&)
);
CREATE INDEX channel_mapping_unconsolidated_ix ON channel_mapping (id) WHERE consolidated_at IS NULL;
COMMENT ON COLUMN channel_mapping.consolidated_at IS
    'When the days of blocks that were there before the mapping were made; NULL: to be done';
COMMENT ON TABLE channel_mapping IS
    'Which register feeds which channel, since when until when: a meter exchange adds a row here';
"""


def upgrade() -> None:
    op.execute(REGISTRY)
    op.execute(NETWORK)


def downgrade() -> None:
    op.execute("DROP TABLE channel_mapping, channel, evidence_channel, meter, concentrator")
    op.execute("DROP TABLE contract_item, contract, supply_point, party")
