"""services: conditions of points, the operator's own services and price lists, what an item is settled from."""

from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None

CONDITIONS = """
CREATE TABLE point_condition (
    id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT point_condition_pkey PRIMARY KEY,
    supply_point bigint NOT NULL CONSTRAINT point_condition_supply_point_fkey REFERENCES supply_point (id),
    kind text NOT NULL CONSTRAINT point_condition_kind_check
        CHECK (kind IN ('loss', 'capacity_exempt', 'single_component', 'storage', 'tax_exempt')),
    percent numeric(6, 3) CONSTRAINT point_condition_percent_check CHECK (percent > 0 AND percent <= 20),
    choice text CONSTRAINT point_condition_choice_check CHECK (choice IN ('storage', 'pumped')),
    valid daterange NOT NULL
        CONSTRAINT point_condition_valid_check CHECK (NOT isempty(valid) AND NOT lower_inf(valid)),
    source text NOT NULL,
    CONSTRAINT point_condition_percent_of_loss_check CHECK ((kind = 'loss') = (percent IS NOT NULL)),
    CONSTRAINT point_condition_choice_of_storage_check CHECK ((kind = 'storage') = (choice IS NOT NULL)),
    CONSTRAINT point_condition_supply_point_kind_valid_excl
        EXCLUDE USING gist (supply_point WITH =, kind WITH =, valid WITH &&)
);
COMMENT ON TABLE point_condition IS
    'What changes the price of a point while it holds: transformer losses, exemptions, a choice, storage';
"""

SERVICES = """
CREATE TABLE own_service (
    id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT own_service_pkey PRIMARY KEY,
    code text NOT NULL CONSTRAINT own_service_code_key UNIQUE,
    rate integer NOT NULL CONSTRAINT own_service_rate_key UNIQUE
        CONSTRAINT own_service_rate_check CHECK (rate BETWEEN 3000 AND 3999),
    name_cs text NOT NULL,
    name_en text NOT NULL,
    unit text NOT NULL,
    vat_percent numeric(5, 2) NOT NULL
        CONSTRAINT own_service_vat_percent_check CHECK (vat_percent >= 0 AND vat_percent < 100)
);
COMMENT ON TABLE own_service IS 'Vlastní služba: what the operator bills beside the regulated; not told to OTE';

CREATE TABLE own_service_price (
    id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT own_service_price_pkey PRIMARY KEY,
    service bigint NOT NULL CONSTRAINT own_service_price_service_fkey REFERENCES own_service (id),
    price numeric(18, 6) NOT NULL,
    valid daterange NOT NULL
        CONSTRAINT own_service_price_valid_check CHECK (NOT isempty(valid) AND NOT lower_inf(valid)),
    source text NOT NULL,
    CONSTRAINT own_service_price_service_valid_excl EXCLUDE USING gist (service WITH =, valid WITH &&)
);
COMMENT ON TABLE own_service_price IS 'Price of an own service without VAT, since when until when';

CREATE TABLE contract_service (
    id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT contract_service_pkey PRIMARY KEY,
    contract_item bigint NOT NULL CONSTRAINT contract_service_contract_item_fkey REFERENCES contract_item (id),
    service bigint NOT NULL CONSTRAINT contract_service_service_fkey REFERENCES own_service (id),
    quantity text NOT NULL CONSTRAINT contract_service_quantity_check
        CHECK (quantity IN ('fixed', 'area', 'channel', 'formula', 'node')),
    fixed numeric(18, 6),
    channel integer CONSTRAINT contract_service_channel_fkey REFERENCES channel (id),
    formula text,
    collection integer CONSTRAINT contract_service_collection_fkey REFERENCES collection (id),
    node text,
    share text CONSTRAINT contract_service_share_check CHECK (share IN ('whole', 'percent', 'energy', 'area')),
    percent numeric(9, 6)
        CONSTRAINT contract_service_percent_check CHECK (percent > 0 AND percent <= 100),
    valid daterange NOT NULL
        CONSTRAINT contract_service_valid_check CHECK (NOT isempty(valid) AND NOT lower_inf(valid)),
    CONSTRAINT contract_service_fixed_of_quantity_check CHECK ((quantity = 'fixed') = (fixed IS NOT NULL)),
    CONSTRAINT contract_service_channel_of_quantity_check CHECK ((quantity = 'channel') = (channel IS NOT NULL)),
    CONSTRAINT contract_service_formula_of_quantity_check CHECK ((quantity = 'formula') = (formula IS NOT NULL)),
    CONSTRAINT contract_service_node_of_quantity_check CHECK (
        (quantity = 'node') = (collection IS NOT NULL) AND (quantity = 'node') = (node IS NOT NULL)
        AND (quantity = 'node') = (share IS NOT NULL)),
    CONSTRAINT contract_service_percent_of_share_check
        CHECK ((share IS NOT DISTINCT FROM 'percent') = (percent IS NOT NULL)),
    CONSTRAINT contract_service_contract_item_service_valid_excl
        EXCLUDE USING gist (contract_item WITH =, service WITH =, valid WITH &&)
);
CREATE INDEX contract_service_service_ix ON contract_service (service);
CREATE INDEX contract_service_channel_ix ON contract_service (channel) WHERE channel IS NOT NULL;
COMMENT ON TABLE contract_service IS
    'An own service under a contract item: what its quantity is, since when until when';
"""

SUPPLY = """
CREATE TABLE own_price_list (
    id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT own_price_list_pkey PRIMARY KEY,
    code text NOT NULL CONSTRAINT own_price_list_code_key UNIQUE,
    name text NOT NULL,
    commodity text NOT NULL CONSTRAINT own_price_list_commodity_check CHECK (commodity IN ('electricity', 'gas'))
);
COMMENT ON TABLE own_price_list IS 'Vlastní ceník dodávky (Ceník NN): what the licensee sells energy for';

CREATE TABLE own_price (
    id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT own_price_pkey PRIMARY KEY,
    price_list bigint NOT NULL CONSTRAINT own_price_price_list_fkey REFERENCES own_price_list (id),
    component text NOT NULL
        CONSTRAINT own_price_component_check CHECK (component IN ('fixed', 'vt', 'nt', 'energy')),
    rate text NOT NULL DEFAULT '',
    price numeric(18, 6) NOT NULL,
    valid daterange NOT NULL CONSTRAINT own_price_valid_check CHECK (NOT isempty(valid) AND NOT lower_inf(valid)),
    source text NOT NULL,
    CONSTRAINT own_price_price_list_component_rate_valid_excl
        EXCLUDE USING gist (price_list WITH =, component WITH =, rate WITH =, valid WITH &&)
);
COMMENT ON TABLE own_price IS 'A price of an own price list without VAT: Kč/měs (fixed) or Kč/MWh';
COMMENT ON COLUMN own_price.rate IS 'Distribution rate that it is for; empty: any without a price of its own';

CREATE TABLE item_price_list (
    id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT item_price_list_pkey PRIMARY KEY,
    contract_item bigint NOT NULL CONSTRAINT item_price_list_contract_item_fkey REFERENCES contract_item (id),
    price_list bigint NOT NULL CONSTRAINT item_price_list_price_list_fkey REFERENCES own_price_list (id),
    valid daterange NOT NULL
        CONSTRAINT item_price_list_valid_check CHECK (NOT isempty(valid) AND NOT lower_inf(valid)),
    CONSTRAINT item_price_list_contract_item_valid_excl EXCLUDE USING gist (contract_item WITH =, valid WITH &&)
);
CREATE INDEX item_price_list_price_list_ix ON item_price_list (price_list);
COMMENT ON TABLE item_price_list IS 'The own price list by which energy is sold under a contract item';

CREATE TABLE settled_from (
    id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT settled_from_pkey PRIMARY KEY,
    contract_item bigint NOT NULL CONSTRAINT settled_from_contract_item_fkey REFERENCES contract_item (id),
    direction text NOT NULL,
    channel integer NOT NULL CONSTRAINT settled_from_channel_fkey REFERENCES channel (id),
    valid daterange NOT NULL
        CONSTRAINT settled_from_valid_check CHECK (NOT isempty(valid) AND NOT lower_inf(valid)),
    CONSTRAINT settled_from_contract_item_direction_valid_excl
        EXCLUDE USING gist (contract_item WITH =, direction WITH =, valid WITH &&)
);
CREATE INDEX settled_from_channel_ix ON settled_from (channel);
COMMENT ON TABLE settled_from IS
    'The channel that a contract item is settled from instead of the own one of its point, physical or virtual';
"""

BACK = """
DROP TABLE settled_from, item_price_list, own_price, own_price_list, contract_service, own_service_price, own_service,
    point_condition;
"""


def upgrade() -> None:
    op.execute(CONDITIONS)
    op.execute(SERVICES)
    op.execute(SUPPLY)


def downgrade() -> None:
    op.execute(BACK)
