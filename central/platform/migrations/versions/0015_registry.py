"""registry: parties, supply points, contracts and their rows in time; audit with before, after and why."""

from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

PLATFORM = """
ALTER TABLE audit ADD COLUMN before jsonb, ADD COLUMN after jsonb, ADD COLUMN why text;
COMMENT ON TABLE audit IS 'Append-only: who did what to what, when, why, and what it was before and after';

CREATE EXTENSION IF NOT EXISTS pg_trgm;
CREATE FUNCTION fold(text) RETURNS text LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT translate(lower($1), 'áäčďéěëíľĺňóôöőŕřšťúůüűýžÁÄČĎÉĚËÍĽĹŇÓÔÖŐŔŘŠŤÚŮÜŰÝŽ',
                     'aacdeeeillnoooorrstuuuuyzaacdeeeillnoooorrstuuuuyz')
$$;
COMMENT ON FUNCTION fold(text) IS 'Text as it is searched: small letters without accents';
"""

PARTIES = """
ALTER TABLE party ADD COLUMN roles text[], ADD COLUMN phone text, ADD COLUMN since date;
UPDATE party SET roles = ARRAY[role];
ALTER TABLE party DROP COLUMN role;
ALTER TABLE party ALTER COLUMN roles SET NOT NULL;
ALTER TABLE party ADD CONSTRAINT party_roles_check CHECK (cardinality(roles) > 0 AND roles <@ ARRAY[
    'operator', 'customer', 'supplier', 'balance_responsible', 'superior_distributor', 'market_operator']);
ALTER TABLE party ADD COLUMN search text GENERATED ALWAYS AS (
    fold(code || ' ' || name || ' ' || city || ' ' || street || ' ' || coalesce(ico, '') || ' ' || coalesce(ean13, ''))
) STORED;
CREATE INDEX party_search_ix ON party USING gin (search gin_trgm_ops);
CREATE INDEX party_roles_ix ON party USING gin (roles);
CREATE INDEX party_name_ix ON party (name, id);
CREATE INDEX party_city_ix ON party (city, id);

CREATE TABLE party_past (
    id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT party_past_pkey PRIMARY KEY,
    party bigint NOT NULL CONSTRAINT party_past_party_fkey REFERENCES party (id),
    valid daterange NOT NULL CONSTRAINT party_past_valid_check CHECK (NOT isempty(valid) AND NOT upper_inf(valid)),
    name text NOT NULL,
    roles text[] NOT NULL,
    ico text,
    dic text,
    street text NOT NULL,
    city text NOT NULL,
    postal_code text NOT NULL,
    country text NOT NULL,
    ean13 text,
    eic text,
    iban text,
    licence text,
    registration text,
    vat_payer boolean NOT NULL,
    email text,
    phone text,
    superior bigint CONSTRAINT party_past_superior_fkey REFERENCES party (id),
    CONSTRAINT party_past_party_valid_excl EXCLUDE USING gist (party WITH =, valid WITH &&)
);
COMMENT ON TABLE party_past IS 'What held of a party before party.since';

CREATE TABLE party_address (
    id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT party_address_pkey PRIMARY KEY,
    party bigint NOT NULL CONSTRAINT party_address_party_fkey REFERENCES party (id),
    kind text NOT NULL CONSTRAINT party_address_kind_check CHECK (kind IN ('mailing', 'billing', 'premises')),
    street text NOT NULL,
    city text NOT NULL,
    postal_code text NOT NULL,
    country text NOT NULL DEFAULT 'CZ',
    valid daterange NOT NULL CONSTRAINT party_address_valid_check CHECK (NOT isempty(valid)),
    CONSTRAINT party_address_party_kind_valid_excl
        EXCLUDE USING gist (party WITH =, kind WITH =, valid WITH &&)
);
COMMENT ON TABLE party_address IS 'Addresses beside the seat, which stands in party: one of a kind at a time';

CREATE TABLE party_account (
    id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT party_account_pkey PRIMARY KEY,
    party bigint NOT NULL CONSTRAINT party_account_party_fkey REFERENCES party (id),
    purpose text NOT NULL CONSTRAINT party_account_purpose_check CHECK (purpose IN ('refund', 'debit', 'other')),
    iban text NOT NULL,
    czech_number text,
    currency text NOT NULL DEFAULT 'CZK' CONSTRAINT party_account_currency_check CHECK (currency ~ '^[A-Z]{3}$'),
    valid daterange NOT NULL CONSTRAINT party_account_valid_check CHECK (NOT isempty(valid)),
    CONSTRAINT party_account_party_purpose_valid_excl
        EXCLUDE USING gist (party WITH =, purpose WITH =, valid WITH &&)
);
COMMENT ON TABLE party_account IS
    'Bank accounts beside the main one, which invoices print and which stands in party.iban';

CREATE TABLE party_contact (
    id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT party_contact_pkey PRIMARY KEY,
    party bigint NOT NULL CONSTRAINT party_contact_party_fkey REFERENCES party (id),
    name text NOT NULL,
    matter text NOT NULL,
    email text,
    phone text,
    valid daterange NOT NULL CONSTRAINT party_contact_valid_check CHECK (NOT isempty(valid)),
    CONSTRAINT party_contact_reachable_check CHECK (coalesce(email, phone) IS NOT NULL)
);
CREATE INDEX party_contact_party_ix ON party_contact (party);
COMMENT ON TABLE party_contact IS 'Persons to turn to, by matter (invoicing, outages, metering, ...)';

CREATE TABLE contract_account (
    id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT contract_account_pkey PRIMARY KEY,
    number text NOT NULL CONSTRAINT contract_account_number_key UNIQUE,
    party bigint NOT NULL CONSTRAINT contract_account_party_fkey REFERENCES party (id),
    name text NOT NULL,
    valid daterange NOT NULL CONSTRAINT contract_account_valid_check CHECK (NOT isempty(valid)),
    CONSTRAINT contract_account_id_party_key UNIQUE (id, party)
);
CREATE INDEX contract_account_party_ix ON contract_account (party);
COMMENT ON TABLE contract_account IS 'Smluvní účet: where what one payer owes under several contracts is kept together';

CREATE TABLE network_area (
    id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT network_area_pkey PRIMARY KEY,
    code text NOT NULL CONSTRAINT network_area_code_key UNIQUE,
    name text NOT NULL,
    commodity text NOT NULL CONSTRAINT network_area_commodity_check CHECK (commodity IN ('electricity', 'gas')),
    licensee bigint NOT NULL CONSTRAINT network_area_licensee_fkey REFERENCES party (id),
    superior bigint NOT NULL CONSTRAINT network_area_superior_fkey REFERENCES party (id),
    licence text,
    valid daterange NOT NULL CONSTRAINT network_area_valid_check CHECK (NOT isempty(valid)),
    CONSTRAINT network_area_parties_check CHECK (licensee <> superior),
    CONSTRAINT network_area_id_licensee_key UNIQUE (id, licensee)
);
CREATE INDEX network_area_licensee_ix ON network_area (licensee);
CREATE INDEX network_area_superior_ix ON network_area (superior);
COMMENT ON TABLE network_area IS
    'Lokální distribuční soustava (LDS): one network of one licence holder, fed by a superior distributor';

CREATE TABLE number_series (
    id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT number_series_pkey PRIMARY KEY,
    code text NOT NULL CONSTRAINT number_series_code_key UNIQUE,
    purpose text NOT NULL CONSTRAINT number_series_purpose_check
        CHECK (purpose IN ('ean18', 'eic', 'contract', 'contract_account', 'work_order')),
    prefix text NOT NULL,
    digits integer NOT NULL CONSTRAINT number_series_digits_check CHECK (digits BETWEEN 1 AND 15),
    first_number bigint NOT NULL,
    last_number bigint NOT NULL,
    next_number bigint NOT NULL,
    CONSTRAINT number_series_range_check CHECK (
        0 <= first_number AND first_number <= last_number AND last_number < 10 ^ digits
        AND next_number BETWEEN first_number AND last_number + 1),
    CONSTRAINT number_series_prefix_digits_key UNIQUE (purpose, prefix, digits, first_number)
);
COMMENT ON TABLE number_series IS
    'Číselná řada: the row is locked by whoever draws until its transaction ends, so that numbers have no holes';
"""

GUARDS = """
CREATE FUNCTION past_before_present() RETURNS trigger LANGUAGE plpgsql AS $$
-- TG_ARGV: the table of what holds now (since); its past stands in <table>_past under a column named like the table.
DECLARE
    main text := TG_ARGV[0];
    owner bigint := CASE WHEN TG_TABLE_NAME = main THEN (to_jsonb(NEW) ->> 'id')::bigint
                         ELSE (to_jsonb(NEW) ->> main)::bigint END;
    clash text;
BEGIN
    EXECUTE format('SELECT p.valid || %L || coalesce(m.since::text, %L) FROM %I p JOIN %I m ON m.id = p.%I
                     WHERE m.id = $1 AND (m.since IS NULL OR upper(p.valid) > m.since) LIMIT 1',
                   ' reaches beyond the present, which holds since ', 'ever', main || '_past', main, main)
       INTO clash USING owner;
    IF clash IS NOT NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'exclusion_violation', TABLE = TG_TABLE_NAME,
            CONSTRAINT = main || '_past_before_present',
            MESSAGE = format('the past of %s %s overlaps its present', main, owner), DETAIL = clash || '.';
    END IF;
    RETURN NULL;
END $$;

CREATE FUNCTION site_object_no_cycle() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    -- One at a time: two changes that each see no cycle could make one together.
    PERFORM pg_advisory_xact_lock(hashtext('site_object'));
    IF EXISTS (
        WITH RECURSIVE above (id, parent) AS (
            SELECT id, parent FROM site_object WHERE id = NEW.parent
            UNION SELECT o.id, o.parent FROM site_object o JOIN above a ON o.id = a.parent)
        SELECT FROM above WHERE id = NEW.id) THEN
        RAISE EXCEPTION USING ERRCODE = 'check_violation', TABLE = 'site_object',
            CONSTRAINT = 'site_object_no_cycle_check', MESSAGE = 'the object would be a part of itself',
            DETAIL = format('%s cannot be a part of object %s.', NEW.code, NEW.parent);
    END IF;
    RETURN NULL;
END $$;

CREATE FUNCTION capacity_within_input() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    point bigint := coalesce(NEW.supply_point, OLD.supply_point);
    clash record;
BEGIN
    SELECT d.day, reserved.kw, agreed.kw AS input_kw INTO clash
      FROM (SELECT lower(valid) AS day FROM reserved_capacity WHERE supply_point = point
            UNION SELECT lower(valid) FROM contract_item WHERE supply_point = point AND reserved_input_kw IS NOT NULL) d
     CROSS JOIN LATERAL (SELECT sum(kw) AS kw FROM reserved_capacity
                          WHERE supply_point = point AND valid @> d.day) reserved
     CROSS JOIN LATERAL (SELECT min(reserved_input_kw) AS kw FROM contract_item
                          WHERE supply_point = point AND valid @> d.day) agreed
     WHERE d.day IS NOT NULL AND reserved.kw > agreed.kw
     ORDER BY d.day LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION USING ERRCODE = 'check_violation', TABLE = 'reserved_capacity',
            CONSTRAINT = 'reserved_capacity_within_input_check',
            MESSAGE = 'more capacity is reserved than input is agreed',
            DETAIL = format('On %s supply point %s reserves %s kW, more than its reserved input of %s kW.',
                            clash.day, point, clash.kw, clash.input_kw);
    END IF;
    RETURN NULL;
END $$;

CREATE FUNCTION contract_services(kind text) RETURNS int4range LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    -- connection 0, distribution 1, supply 2; a combined contract is of both
    SELECT CASE kind WHEN 'connection' THEN int4range(0, 1) WHEN 'supply' THEN int4range(2, 3)
                     WHEN 'combined' THEN int4range(1, 3) ELSE int4range(1, 2) END
$$;
COMMENT ON FUNCTION contract_services(text) IS
    'Services that a contract of a kind is of: a point has one contract for each service at a time';
"""

POINTS = """
CREATE TABLE site_object (
    id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT site_object_pkey PRIMARY KEY,
    code text NOT NULL CONSTRAINT site_object_code_key UNIQUE,
    name text NOT NULL,
    kind text NOT NULL CONSTRAINT site_object_kind_check CHECK (kind IN ('site', 'building', 'flat', 'other')),
    parent bigint CONSTRAINT site_object_parent_fkey REFERENCES site_object (id),
    street text,
    city text,
    postal_code text,
    area_m2 numeric(12, 2),
    CONSTRAINT site_object_area_m2_check CHECK (area_m2 >= 0)
);
CREATE INDEX site_object_parent_ix ON site_object (parent);
COMMENT ON TABLE site_object IS 'Objekt: a site, its buildings, their flats; parent is what it is a part of';
CREATE TRIGGER site_object_no_cycle AFTER INSERT OR UPDATE OF parent ON site_object
    FOR EACH ROW WHEN (NEW.parent IS NOT NULL) EXECUTE FUNCTION site_object_no_cycle();

ALTER TABLE supply_point
    ADD COLUMN state text NOT NULL DEFAULT 'connected' CONSTRAINT supply_point_state_check
        CHECK (state IN ('requested', 'connected', 'suspended', 'ended')),
    ADD COLUMN area bigint,
    ADD COLUMN site_object bigint CONSTRAINT supply_point_site_object_fkey REFERENCES site_object (id),
    ADD COLUMN temperature_zone text,
    ADD COLUMN planned_mwh numeric(14, 3) CONSTRAINT supply_point_planned_mwh_check CHECK (planned_mwh >= 0),
    ADD COLUMN since date,
    ADD CONSTRAINT supply_point_id_commodity_key UNIQUE (id, commodity),
    ADD CONSTRAINT supply_point_area_operator_fkey FOREIGN KEY (area, operator) REFERENCES network_area (id, licensee);
ALTER TABLE supply_point ADD COLUMN search text GENERATED ALWAYS AS (
    fold(ean || ' ' || name || ' ' || object || ' ' || street || ' ' || city)) STORED;
CREATE INDEX supply_point_search_ix ON supply_point USING gin (search gin_trgm_ops);
CREATE INDEX supply_point_name_ix ON supply_point (name, id);
CREATE INDEX supply_point_object_ix ON supply_point (object, id);
CREATE INDEX supply_point_city_ix ON supply_point (city, id);
CREATE INDEX supply_point_planned_mwh_ix ON supply_point (planned_mwh, id);
CREATE INDEX supply_point_ean_id_ix ON supply_point (ean, id);
CREATE INDEX supply_point_state_ix ON supply_point (state, ean);
CREATE INDEX supply_point_commodity_level_ix ON supply_point (commodity, voltage_level, metering_type, ean);
CREATE INDEX supply_point_operator_ix ON supply_point (operator, ean);
CREATE INDEX supply_point_supplier_ix ON supply_point (supplier, ean);
CREATE INDEX supply_point_area_ix ON supply_point (area, ean);
CREATE INDEX supply_point_site_object_ix ON supply_point (site_object);
COMMENT ON COLUMN supply_point.since IS
    'Since when the row holds; what held before stands in supply_point_past. NULL: from the beginning';

CREATE TABLE supply_point_past (
    id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT supply_point_past_pkey PRIMARY KEY,
    supply_point bigint NOT NULL,
    commodity text NOT NULL,
    valid daterange NOT NULL
        CONSTRAINT supply_point_past_valid_check CHECK (NOT isempty(valid) AND NOT upper_inf(valid)),
    name text NOT NULL,
    object text NOT NULL,
    street text NOT NULL,
    city text NOT NULL,
    postal_code text NOT NULL,
    voltage_level text,
    metering_type text,
    category text NOT NULL,
    load_profile_class text,
    temperature_zone text,
    planned_mwh numeric(14, 3),
    operator bigint NOT NULL CONSTRAINT supply_point_past_operator_fkey REFERENCES party (id),
    supplier bigint CONSTRAINT supply_point_past_supplier_fkey REFERENCES party (id),
    area bigint,
    site_object bigint CONSTRAINT supply_point_past_site_object_fkey REFERENCES site_object (id),
    state text NOT NULL,
    CONSTRAINT supply_point_past_supply_point_commodity_fkey
        FOREIGN KEY (supply_point, commodity) REFERENCES supply_point (id, commodity),
    CONSTRAINT supply_point_past_area_operator_fkey
        FOREIGN KEY (area, operator) REFERENCES network_area (id, licensee),
    CONSTRAINT supply_point_past_level_of_commodity_check
        CHECK ((commodity = 'electricity') = (voltage_level IS NOT NULL)),
    CONSTRAINT supply_point_past_state_check CHECK (state IN ('requested', 'connected', 'suspended', 'ended')),
    CONSTRAINT supply_point_past_supply_point_valid_excl EXCLUDE USING gist (supply_point WITH =, valid WITH &&)
);
COMMENT ON TABLE supply_point_past IS 'What held of a supply point before supply_point.since';

CREATE VIEW supply_point_valid AS
    SELECT id, ean, commodity, point_type, daterange(since, NULL) AS valid, name, object, street, city, postal_code,
           voltage_level, metering_type, category, load_profile_class, temperature_zone, planned_mwh, operator,
           supplier, area, site_object, state
      FROM supply_point
    UNION ALL
    SELECT sp.id, sp.ean, sp.commodity, sp.point_type, p.valid, p.name, p.object, p.street, p.city, p.postal_code,
           p.voltage_level, p.metering_type, p.category, p.load_profile_class, p.temperature_zone, p.planned_mwh,
           p.operator, p.supplier, p.area, p.site_object, p.state
      FROM supply_point_past p JOIN supply_point sp ON sp.id = p.supply_point;
COMMENT ON VIEW supply_point_valid IS 'Supply points at any time: a row for each time in which one state of facts held';
"""

CONTRACTS = """
ALTER TABLE contract
    ADD COLUMN account bigint CONSTRAINT contract_account_fkey REFERENCES contract_account (id),
    ADD COLUMN signed_on date,
    ADD COLUMN due_days integer NOT NULL DEFAULT 14
        CONSTRAINT contract_due_days_check CHECK (due_days BETWEEN 0 AND 365),
    ADD COLUMN payment text NOT NULL DEFAULT 'transfer'
        CONSTRAINT contract_payment_check CHECK (payment IN ('transfer', 'debit', 'sipo', 'cash')),
    ADD COLUMN statement_months integer NOT NULL DEFAULT 1
        CONSTRAINT contract_statement_months_check CHECK (statement_months IN (1, 3, 6, 12)),
    ADD COLUMN advance_months integer NOT NULL DEFAULT 0
        CONSTRAINT contract_advance_months_check CHECK (advance_months IN (0, 1, 2, 3, 6)),
    ADD COLUMN advance_spread text NOT NULL DEFAULT 'even'
        CONSTRAINT contract_advance_spread_check CHECK (advance_spread IN ('even', 'manual')),
    ADD COLUMN advance_amount numeric(14, 2) CONSTRAINT contract_advance_amount_check CHECK (advance_amount >= 0),
    ADD COLUMN since date,
    ADD CONSTRAINT contract_id_kind_key UNIQUE (id, kind),
    ADD CONSTRAINT contract_advance_check CHECK (advance_months = 0 OR advance_amount IS NOT NULL);
CREATE INDEX contract_account_ix ON contract (account);
CREATE INDEX contract_number_trgm_ix ON contract USING gin (fold(number) gin_trgm_ops);

CREATE TABLE contract_past (
    id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT contract_past_pkey PRIMARY KEY,
    contract bigint NOT NULL CONSTRAINT contract_past_contract_fkey REFERENCES contract (id),
    valid daterange NOT NULL CONSTRAINT contract_past_valid_check CHECK (NOT isempty(valid) AND NOT upper_inf(valid)),
    customer bigint NOT NULL CONSTRAINT contract_past_customer_fkey REFERENCES party (id),
    payer bigint NOT NULL CONSTRAINT contract_past_payer_fkey REFERENCES party (id),
    account bigint CONSTRAINT contract_past_account_fkey REFERENCES contract_account (id),
    due_days integer NOT NULL,
    payment text NOT NULL,
    statement_months integer NOT NULL,
    advance_months integer NOT NULL,
    advance_spread text NOT NULL,
    advance_amount numeric(14, 2),
    CONSTRAINT contract_past_contract_valid_excl EXCLUDE USING gist (contract WITH =, valid WITH &&)
);
COMMENT ON TABLE contract_past IS 'What held of a contract before contract.since';

CREATE VIEW contract_valid AS
    SELECT id, number, kind, daterange(since, NULL) AS held, customer, payer, account, due_days, payment,
           statement_months, advance_months, advance_spread, advance_amount, valid
      FROM contract
    UNION ALL
    SELECT c.id, c.number, c.kind, p.valid, p.customer, p.payer, p.account, p.due_days, p.payment,
           p.statement_months, p.advance_months, p.advance_spread, p.advance_amount, c.valid
      FROM contract_past p JOIN contract c ON c.id = p.contract;
COMMENT ON VIEW contract_valid IS 'Contracts at any time: held is when the parties and terms of the row held';

CREATE TABLE contract_amendment (
    id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT contract_amendment_pkey PRIMARY KEY,
    contract bigint NOT NULL CONSTRAINT contract_amendment_contract_fkey REFERENCES contract (id),
    number integer NOT NULL CONSTRAINT contract_amendment_number_check CHECK (number > 0),
    subject text NOT NULL,
    signed_on date,
    effective date NOT NULL,
    CONSTRAINT contract_amendment_contract_number_key UNIQUE (contract, number),
    CONSTRAINT contract_amendment_id_contract_key UNIQUE (id, contract)
);
COMMENT ON TABLE contract_amendment IS 'Dodatek: a numbered change of a contract; items say which one they are by';

ALTER TABLE contract_item
    ADD COLUMN kind text NOT NULL DEFAULT 'distribution',
    ADD COLUMN breaker_characteristic text CONSTRAINT contract_item_breaker_characteristic_check
        CHECK (breaker_characteristic IN ('A', 'B', 'C', 'D', 'K', 'Z')),
    ADD COLUMN reserved_output_kw numeric(12, 3) CONSTRAINT contract_item_reserved_output_kw_check
        CHECK (reserved_output_kw >= 0),
    ADD COLUMN operator bigint CONSTRAINT contract_item_operator_fkey REFERENCES party (id),
    ADD COLUMN gas_category text CONSTRAINT contract_item_gas_category_check
        CHECK (gas_category IN ('household', 'low', 'medium', 'large')),
    ADD COLUMN amendment bigint;
UPDATE contract_item ci SET kind = c.kind FROM contract c WHERE c.id = ci.contract;
ALTER TABLE contract_item
    DROP CONSTRAINT contract_item_supply_point_valid_excl,
    ADD CONSTRAINT contract_item_supply_point_valid_excl
        EXCLUDE USING gist (supply_point WITH =, contract_services(kind) WITH &&, valid WITH &&),
    ADD CONSTRAINT contract_item_contract_kind_fkey FOREIGN KEY (contract, kind) REFERENCES contract (id, kind),
    ADD CONSTRAINT contract_item_amendment_contract_fkey
        FOREIGN KEY (amendment, contract) REFERENCES contract_amendment (id, contract),
    ADD CONSTRAINT contract_item_characteristic_of_breaker_check
        CHECK (breaker_characteristic IS NULL OR breaker_amps IS NOT NULL),
    ADD CONSTRAINT contract_item_reserved_input_valid_excl
        EXCLUDE USING gist (supply_point WITH =, valid WITH &&) WHERE (reserved_input_kw IS NOT NULL),
    ADD CONSTRAINT contract_item_reserved_output_valid_excl
        EXCLUDE USING gist (supply_point WITH =, valid WITH &&) WHERE (reserved_output_kw IS NOT NULL);
CREATE INDEX contract_item_supply_point_ix ON contract_item (supply_point);
CREATE INDEX contract_item_operator_ix ON contract_item (operator);

CREATE TABLE reserved_capacity (
    id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT reserved_capacity_pkey PRIMARY KEY,
    supply_point bigint NOT NULL CONSTRAINT reserved_capacity_supply_point_fkey REFERENCES supply_point (id),
    kind text NOT NULL CONSTRAINT reserved_capacity_kind_check CHECK (kind IN ('year', 'month')),
    kw numeric(12, 3) NOT NULL CONSTRAINT reserved_capacity_kw_check CHECK (kw >= 0),
    valid daterange NOT NULL CONSTRAINT reserved_capacity_valid_check CHECK (NOT isempty(valid)),
    ordered_on date,
    via_supplier boolean NOT NULL DEFAULT false,
    CONSTRAINT reserved_capacity_supply_point_kind_valid_excl
        EXCLUDE USING gist (supply_point WITH =, kind WITH =, valid WITH &&)
);
COMMENT ON TABLE reserved_capacity IS
    'Odběrový diagram: yearly and monthly reserved capacity of a supply point, each with its validity; they add up';
INSERT INTO reserved_capacity (supply_point, kind, kw, valid)
    SELECT supply_point, 'year', reserved_capacity_year_kw, valid FROM contract_item
     WHERE reserved_capacity_year_kw IS NOT NULL
    UNION ALL
    SELECT supply_point, 'month', reserved_capacity_month_kw, valid FROM contract_item
     WHERE reserved_capacity_month_kw IS NOT NULL;
ALTER TABLE contract_item DROP CONSTRAINT contract_item_not_negative_check;
ALTER TABLE contract_item DROP COLUMN reserved_capacity_year_kw, DROP COLUMN reserved_capacity_month_kw;
ALTER TABLE contract_item ADD CONSTRAINT contract_item_not_negative_check
    CHECK (least(reserved_input_kw, annual_mwh, gas_daily_capacity_m3) >= 0);
CREATE CONSTRAINT TRIGGER reserved_capacity_within_input AFTER INSERT OR UPDATE ON reserved_capacity
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION capacity_within_input();
CREATE CONSTRAINT TRIGGER contract_item_capacity_within_input AFTER INSERT OR UPDATE ON contract_item
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (NEW.reserved_input_kw IS NOT NULL)
    EXECUTE FUNCTION capacity_within_input();

CREATE TABLE processing_period (
    month date CONSTRAINT processing_period_pkey PRIMARY KEY
        CONSTRAINT processing_period_month_check CHECK (extract(day FROM month) = 1),
    active boolean NOT NULL DEFAULT false,
    active_for_checks boolean NOT NULL DEFAULT false
);
CREATE UNIQUE INDEX processing_period_active_ix ON processing_period (active) WHERE active;
COMMENT ON TABLE processing_period IS
    'Měsíční období zpracování: one is active for invoicing, several may be active for checks';

CREATE TABLE payment_calendar (
    id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT payment_calendar_pkey PRIMARY KEY,
    contract bigint NOT NULL CONSTRAINT payment_calendar_contract_fkey REFERENCES contract (id),
    period daterange NOT NULL CONSTRAINT payment_calendar_period_check
        CHECK (NOT isempty(period) AND NOT lower_inf(period) AND NOT upper_inf(period)),
    advance_due boolean NOT NULL,
    regular_due boolean NOT NULL,
    annual_due boolean NOT NULL,
    advance_amount numeric(14, 2) CONSTRAINT payment_calendar_advance_amount_check CHECK (advance_amount >= 0),
    advance_on date,
    edited boolean NOT NULL DEFAULT false,
    CONSTRAINT payment_calendar_advance_check
        CHECK (advance_due = (advance_amount IS NOT NULL) AND advance_due = (advance_on IS NOT NULL)),
    CONSTRAINT payment_calendar_contract_period_excl EXCLUDE USING gist (contract WITH =, period WITH &&)
);
CREATE INDEX payment_calendar_contract_ix ON payment_calendar (contract);
COMMENT ON TABLE payment_calendar IS
    'Platební kalendář: a row per contract and period with the events that are to come; edited rows stay as they are';
"""

VERSIONED = ("party", "supply_point", "contract")


def upgrade() -> None:
    """Add the columns and tables; what is stored stays, each fact in one place."""
    for script in (PLATFORM, PARTIES, GUARDS, POINTS, CONTRACTS):
        op.execute(script)
    for table in VERSIONED:
        op.execute(f"""
            CREATE TRIGGER {table}_past_before_present AFTER UPDATE OF since ON {table}
            FOR EACH ROW EXECUTE FUNCTION past_before_present('{table}')
        """)
        op.execute(f"""
            CREATE TRIGGER {table}_past_before_present AFTER INSERT OR UPDATE ON {table}_past
            FOR EACH ROW EXECUTE FUNCTION past_before_present('{table}')
        """)


def downgrade() -> None:
    """Back to one role, one contract per point, capacities in the items; what 0014 cannot hold is lost."""
    op.execute("""
        DROP TABLE payment_calendar, processing_period;
        ALTER TABLE contract_item ADD COLUMN reserved_capacity_year_kw numeric(12, 3),
                                  ADD COLUMN reserved_capacity_month_kw numeric(12, 3);
        DROP TRIGGER contract_item_capacity_within_input ON contract_item;
        UPDATE contract_item ci SET
            reserved_capacity_year_kw = (SELECT kw FROM reserved_capacity r WHERE r.supply_point = ci.supply_point
                AND r.kind = 'year' AND r.valid && ci.valid ORDER BY lower(r.valid) DESC NULLS LAST LIMIT 1),
            reserved_capacity_month_kw = (SELECT kw FROM reserved_capacity r WHERE r.supply_point = ci.supply_point
                AND r.kind = 'month' AND r.valid && ci.valid ORDER BY lower(r.valid) DESC NULLS LAST LIMIT 1)
         WHERE contract_services(ci.kind) @> 1;
        DELETE FROM contract_item WHERE NOT contract_services(kind) @> 1;
        ALTER TABLE contract_item
            DROP CONSTRAINT contract_item_supply_point_valid_excl,
            DROP CONSTRAINT contract_item_not_negative_check,
            DROP CONSTRAINT contract_item_reserved_input_valid_excl,
            DROP CONSTRAINT contract_item_reserved_output_valid_excl,
            DROP CONSTRAINT contract_item_characteristic_of_breaker_check,
            DROP COLUMN kind, DROP COLUMN breaker_characteristic, DROP COLUMN reserved_output_kw, DROP COLUMN operator,
            DROP COLUMN gas_category, DROP COLUMN amendment,
            ADD CONSTRAINT contract_item_supply_point_valid_excl
                EXCLUDE USING gist (supply_point WITH =, valid WITH &&),
            ADD CONSTRAINT contract_item_not_negative_check CHECK (
                least(reserved_capacity_year_kw, reserved_capacity_month_kw, reserved_input_kw, annual_mwh,
                      gas_daily_capacity_m3) >= 0);
        DROP INDEX contract_item_supply_point_ix;
        DROP TABLE reserved_capacity, contract_amendment;
        DROP VIEW contract_valid, supply_point_valid;
        DROP TABLE contract_past, supply_point_past, party_past;
        DROP TRIGGER contract_past_before_present ON contract;
        DROP TRIGGER supply_point_past_before_present ON supply_point;
        DROP TRIGGER party_past_before_present ON party;
        DROP INDEX contract_number_trgm_ix;
        ALTER TABLE contract DROP CONSTRAINT contract_id_kind_key, DROP CONSTRAINT contract_advance_check,
            DROP COLUMN account, DROP COLUMN signed_on, DROP COLUMN due_days, DROP COLUMN payment,
            DROP COLUMN statement_months, DROP COLUMN advance_months, DROP COLUMN advance_spread,
            DROP COLUMN advance_amount, DROP COLUMN since;
        DROP INDEX supply_point_name_ix, supply_point_object_ix, supply_point_city_ix, supply_point_commodity_level_ix,
            supply_point_operator_ix, supply_point_supplier_ix, supply_point_ean_id_ix;
        ALTER TABLE supply_point DROP CONSTRAINT supply_point_id_commodity_key, DROP COLUMN search, DROP COLUMN state,
            DROP COLUMN area, DROP COLUMN site_object, DROP COLUMN temperature_zone, DROP COLUMN planned_mwh,
            DROP COLUMN since;
        DROP TABLE site_object, number_series, network_area, contract_account, party_contact, party_account,
            party_address;
        DROP FUNCTION past_before_present(), site_object_no_cycle(), capacity_within_input(), contract_services(text);
        DROP INDEX party_name_ix, party_city_ix;
        ALTER TABLE party ADD COLUMN role text;
        UPDATE party SET role = CASE roles[1] WHEN 'balance_responsible' THEN 'supplier' ELSE roles[1] END;
        ALTER TABLE party DROP COLUMN search, DROP COLUMN roles, DROP COLUMN phone, DROP COLUMN since,
            ALTER COLUMN role SET NOT NULL,
            ADD CONSTRAINT party_role_check CHECK (
                role IN ('operator', 'customer', 'supplier', 'superior_distributor', 'market_operator'));
        DROP FUNCTION fold(text);
        ALTER TABLE audit DROP COLUMN before, DROP COLUMN after, DROP COLUMN why;
        COMMENT ON TABLE audit IS 'Append-only: who did what to what, when';
    """)
