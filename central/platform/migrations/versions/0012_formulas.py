"""formulas of virtual meters with coefficients, work and sources; collections of meters."""

from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

FORMULAS = """
CREATE TABLE formula (
    id integer GENERATED ALWAYS AS IDENTITY CONSTRAINT formula_pkey PRIMARY KEY,
    channel integer NOT NULL CONSTRAINT formula_channel_fkey REFERENCES channel (id),
    text text NOT NULL,
    coefficients text[] NOT NULL,
    valid daterange NOT NULL CONSTRAINT formula_valid_check CHECK (NOT lower_inf(valid)),
    reason text NOT NULL,
    made_at timestamptz NOT NULL,
    made_by text NOT NULL,
    CONSTRAINT formula_channel_valid_excl EXCLUDE USING gist (channel WITH =, valid WITH &&)
);
COMMENT ON TABLE formula IS
    'Virtuální měřidlo: what a channel without mapping is computed from, by metering days; empty: replaced';

CREATE TABLE formula_input (
    formula integer NOT NULL CONSTRAINT formula_input_formula_fkey REFERENCES formula (id),
    point text NOT NULL,
    direction text NOT NULL,
    channel integer NOT NULL CONSTRAINT formula_input_channel_fkey REFERENCES channel (id),
    CONSTRAINT formula_input_pkey PRIMARY KEY (formula, point, direction)
);
CREATE INDEX formula_input_channel_ix ON formula_input (channel);
COMMENT ON TABLE formula_input IS 'The channel that a name in a formula is bound to';

CREATE TABLE formula_coefficient (
    id integer GENERATED ALWAYS AS IDENTITY CONSTRAINT formula_coefficient_pkey PRIMARY KEY,
    name text NOT NULL,
    value numeric(24, 12) NOT NULL,
    unit text NOT NULL,
    valid daterange NOT NULL
        CONSTRAINT formula_coefficient_valid_check CHECK (NOT lower_inf(valid)),
    source text NOT NULL,
    CONSTRAINT formula_coefficient_name_valid_excl EXCLUDE USING gist (name WITH =, valid WITH &&)
);
COMMENT ON TABLE formula_coefficient IS
    'Named coefficients of formulas, by metering days; source: where a value is from';

CREATE TABLE formula_work (
    id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT formula_work_pkey PRIMARY KEY,
    day date NOT NULL,
    channels integer[] NOT NULL,
    due timestamptz NOT NULL
);
CREATE INDEX formula_work_due_ix ON formula_work (due);
COMMENT ON TABLE formula_work IS
    'Days of channels that changed and have virtual meters above them, or are such; deleted when computed';

CREATE TABLE formula_source (
    channel integer NOT NULL,
    day date NOT NULL,
    version integer NOT NULL,
    formula integer NOT NULL CONSTRAINT formula_source_formula_fkey REFERENCES formula (id),
    inputs integer[] NOT NULL,
    versions integer[] NOT NULL,
    CONSTRAINT formula_source_versions_check CHECK (cardinality(inputs) = cardinality(versions)),
    CONSTRAINT formula_source_pkey PRIMARY KEY (channel, day, version)
);
CREATE TRIGGER formula_source_append_only BEFORE UPDATE OR DELETE ON formula_source
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
COMMENT ON TABLE formula_source IS
    'What a version of a virtual meter''s day was computed from: formula, input channels and their versions';
"""

# What a channel is fed by is a register or a formula, never both: each side looks at the other under a lock on the
# channel's row, so that two transactions at once cannot slip past one another.
EITHER = """
CREATE FUNCTION refuse_formula_and_mapping() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE other boolean;
BEGIN
    PERFORM 1 FROM channel WHERE id = NEW.channel FOR NO KEY UPDATE;
    IF TG_TABLE_NAME = 'formula' THEN
        SELECT EXISTS (SELECT 1 FROM channel_mapping WHERE channel = NEW.channel) INTO other;
    ELSE
        SELECT EXISTS (SELECT 1 FROM formula WHERE channel = NEW.channel) INTO other;
    END IF;
    IF other THEN
        RAISE EXCEPTION 'channel % would be fed by a register and a formula', NEW.channel USING
            ERRCODE = 'exclusion_violation', TABLE = TG_TABLE_NAME, CONSTRAINT = 'formula_or_mapping',
            DETAIL = format('Channel %s is fed by a %s; a channel has registers or a formula, not both.', NEW.channel,
                            CASE TG_TABLE_NAME WHEN 'formula' THEN 'register' ELSE 'formula' END);
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER formula_or_mapping BEFORE INSERT ON formula
    FOR EACH ROW EXECUTE FUNCTION refuse_formula_and_mapping();
CREATE TRIGGER formula_or_mapping BEFORE INSERT ON channel_mapping
    FOR EACH ROW EXECUTE FUNCTION refuse_formula_and_mapping();
"""

COLLECTIONS = """
CREATE TABLE collection (
    id integer GENERATED ALWAYS AS IDENTITY CONSTRAINT collection_pkey PRIMARY KEY,
    code text NOT NULL CONSTRAINT collection_code_key UNIQUE,
    name text NOT NULL,
    purpose text NOT NULL CONSTRAINT collection_purpose_check CHECK (purpose IN ('settlement', 'records'))
);
COMMENT ON TABLE collection IS 'Kolekce měřidel: a tree of nodes for settlement or for records';

CREATE TABLE collection_node (
    id integer GENERATED ALWAYS AS IDENTITY CONSTRAINT collection_node_pkey PRIMARY KEY,
    collection integer NOT NULL CONSTRAINT collection_node_collection_fkey REFERENCES collection (id),
    node text NOT NULL,
    parent text CONSTRAINT collection_node_parent_check CHECK (parent <> node),
    channel integer CONSTRAINT collection_node_channel_fkey REFERENCES channel (id),
    meter text CONSTRAINT collection_node_meter_fkey REFERENCES meter (id),
    sign smallint DEFAULT 1 NOT NULL CONSTRAINT collection_node_sign_check CHECK (sign IN (-1, 1)),
    tolerance numeric(5, 4) CONSTRAINT collection_node_tolerance_check CHECK (tolerance BETWEEN 0 AND 1),
    valid daterange NOT NULL
        CONSTRAINT collection_node_valid_check CHECK (NOT isempty(valid) AND NOT lower_inf(valid)),
    CONSTRAINT collection_node_one_thing_check CHECK (num_nonnulls(channel, meter) <= 1),
    CONSTRAINT collection_node_node_valid_excl
        EXCLUDE USING gist (collection WITH =, node WITH =, valid WITH &&),
    CONSTRAINT collection_node_channel_valid_excl
        EXCLUDE USING gist (collection WITH =, channel WITH =, valid WITH &&) WHERE (channel IS NOT NULL),
    CONSTRAINT collection_node_meter_valid_excl
        EXCLUDE USING gist (collection WITH =, meter WITH =, valid WITH &&) WHERE (meter IS NOT NULL)
);
CREATE INDEX collection_node_channel_ix ON collection_node (channel);
COMMENT ON TABLE collection_node IS
    'A place in a collection''s tree, since when until when: below which node, and what measures it';
"""


def upgrade() -> None:
    op.execute(FORMULAS)
    op.execute(EITHER)
    op.execute(COLLECTIONS)


def downgrade() -> None:
    op.execute("DROP TABLE collection_node, collection")
    op.execute("DROP TRIGGER formula_or_mapping ON channel_mapping")
    op.execute("DROP TABLE formula_source, formula_work, formula_coefficient, formula_input, formula")
    op.execute("DROP FUNCTION refuse_formula_and_mapping")
