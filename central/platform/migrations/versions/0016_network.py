"""network: measuring points and what hangs there, lines and addresses, meter keys, topology, outages, meter acts."""

from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

POINTS = """
CREATE TABLE board (
    id integer GENERATED ALWAYS AS IDENTITY CONSTRAINT board_pkey PRIMARY KEY,
    name text NOT NULL CONSTRAINT board_name_key UNIQUE,
    kind text NOT NULL CONSTRAINT board_kind_check CHECK (kind IN ('cabinet', 'board')),
    within integer CONSTRAINT board_within_fkey REFERENCES board (id),
    place text NOT NULL DEFAULT '',
    CONSTRAINT board_within_check CHECK (within <> id)
);
CREATE INDEX board_within_ix ON board (within);
COMMENT ON TABLE board IS 'Deska, rozvaděč: what measuring points are mounted on, and the cabinet it stands in';

CREATE TABLE measuring_point (
    id integer GENERATED ALWAYS AS IDENTITY CONSTRAINT measuring_point_pkey PRIMARY KEY,
    name text NOT NULL CONSTRAINT measuring_point_name_key UNIQUE,
    commodity text NOT NULL CONSTRAINT measuring_point_commodity_check CHECK (commodity IN ('electricity', 'gas')),
    several boolean NOT NULL DEFAULT false,
    board integer CONSTRAINT measuring_point_board_fkey REFERENCES board (id),
    place text NOT NULL DEFAULT '',
    CONSTRAINT measuring_point_id_several_key UNIQUE (id, several)
);
CREATE INDEX measuring_point_board_ix ON measuring_point (board);
COMMENT ON TABLE measuring_point IS 'Měřicí místo: where a meter hangs; one active meter unless it says otherwise';
COMMENT ON COLUMN measuring_point.several IS 'more than one active meter may hang here at a time';

CREATE TABLE logical_meter (
    id integer GENERATED ALWAYS AS IDENTITY CONSTRAINT logical_meter_pkey PRIMARY KEY,
    name text NOT NULL CONSTRAINT logical_meter_name_key UNIQUE,
    measuring_point integer NOT NULL
        CONSTRAINT logical_meter_measuring_point_fkey REFERENCES measuring_point (id),
    commodity text NOT NULL CONSTRAINT logical_meter_commodity_check CHECK (commodity IN ('electricity', 'gas'))
);
CREATE INDEX logical_meter_measuring_point_ix ON logical_meter (measuring_point);
COMMENT ON TABLE logical_meter IS
    'Logické měřidlo: what is settled; its registers are channels, whatever physical meter feeds them';

INSERT INTO measuring_point (name, commodity)
    SELECT DISTINCT ON (point) point, commodity FROM channel ORDER BY point, id;
INSERT INTO logical_meter (name, measuring_point, commodity)
    SELECT name, id, commodity FROM measuring_point ORDER BY id;
ALTER TABLE channel ADD COLUMN logical_meter integer
    CONSTRAINT channel_logical_meter_fkey REFERENCES logical_meter (id);
UPDATE channel SET logical_meter = l.id FROM logical_meter l WHERE l.name = channel.point;
ALTER TABLE channel ALTER COLUMN logical_meter SET NOT NULL;
ALTER TABLE channel ADD CONSTRAINT channel_point_fkey
    FOREIGN KEY (point) REFERENCES measuring_point (name) ON UPDATE CASCADE;
CREATE INDEX channel_logical_meter_ix ON channel (logical_meter);
COMMENT ON TABLE channel IS
    'What is settled: outlives the meters that feed it; point is the measuring point''s name';

CREATE FUNCTION channel_has_its_point() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM measuring_point WHERE name = NEW.point) THEN
        INSERT INTO measuring_point (name, commodity) VALUES (NEW.point, NEW.commodity) ON CONFLICT DO NOTHING;
    END IF;
    IF NEW.logical_meter IS NULL THEN
        SELECT id INTO NEW.logical_meter FROM logical_meter WHERE name = NEW.point;
        IF NOT FOUND THEN
            INSERT INTO logical_meter (name, measuring_point, commodity)
                SELECT NEW.point, id, NEW.commodity FROM measuring_point WHERE name = NEW.point
                ON CONFLICT (name) DO UPDATE SET name = excluded.name
                RETURNING id INTO NEW.logical_meter;
        END IF;
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER channel_has_its_point BEFORE INSERT ON channel
    FOR EACH ROW EXECUTE FUNCTION channel_has_its_point();
COMMENT ON FUNCTION channel_has_its_point() IS
    'A measuring point and its logical meter come into being with their first channel';
"""

MOUNTINGS = """
CREATE TABLE mounting (
    id integer GENERATED ALWAYS AS IDENTITY CONSTRAINT mounting_pkey PRIMARY KEY,
    meter text NOT NULL CONSTRAINT mounting_meter_fkey REFERENCES meter (id),
    measuring_point integer NOT NULL,
    several boolean NOT NULL,
    valid tstzrange NOT NULL CONSTRAINT mounting_valid_check CHECK (NOT isempty(valid)),
    CONSTRAINT mounting_measuring_point_fkey FOREIGN KEY (measuring_point, several)
        REFERENCES measuring_point (id, several) ON UPDATE CASCADE,
    CONSTRAINT mounting_meter_valid_excl EXCLUDE USING gist (meter WITH =, valid WITH &&),
    CONSTRAINT mounting_measuring_point_valid_excl EXCLUDE USING gist (measuring_point WITH =, valid WITH &&)
        WHERE (NOT several)
);
CREATE INDEX mounting_measuring_point_ix ON mounting (measuring_point);
COMMENT ON TABLE mounting IS 'Osazení: which physical meter hangs at which measuring point, since when until when';

CREATE TABLE instrument_transformer (
    id integer GENERATED ALWAYS AS IDENTITY CONSTRAINT instrument_transformer_pkey PRIMARY KEY,
    measuring_point integer NOT NULL
        CONSTRAINT instrument_transformer_measuring_point_fkey REFERENCES measuring_point (id),
    kind text NOT NULL CONSTRAINT instrument_transformer_kind_check CHECK (kind IN ('MTP', 'MTN')),
    phase text NOT NULL CONSTRAINT instrument_transformer_phase_check CHECK (phase IN ('L1', 'L2', 'L3', 'all')),
    model text NOT NULL,
    serial text NOT NULL,
    primary_value integer NOT NULL,
    secondary_value integer NOT NULL,
    accuracy_class text NOT NULL,
    valid tstzrange NOT NULL CONSTRAINT instrument_transformer_valid_check CHECK (NOT isempty(valid)),
    CONSTRAINT instrument_transformer_ratio_check CHECK (secondary_value > 0 AND primary_value >= secondary_value),
    CONSTRAINT instrument_transformer_serial_valid_excl
        EXCLUDE USING gist (kind WITH =, model WITH =, serial WITH =, valid WITH &&),
    CONSTRAINT instrument_transformer_phase_valid_excl
        EXCLUDE USING gist (measuring_point WITH =, kind WITH =, phase WITH =, valid WITH &&)
);
COMMENT ON TABLE instrument_transformer IS
    'Měřicí transformátor: MTP (current, A) or MTN (voltage, V) before the meter; its ratio multiplies what it counts';

CREATE TABLE seal (
    id integer GENERATED ALWAYS AS IDENTITY CONSTRAINT seal_pkey PRIMARY KEY,
    number text NOT NULL CONSTRAINT seal_number_key UNIQUE,
    kind text NOT NULL CONSTRAINT seal_kind_check
        CHECK (kind IN ('terminal', 'meter', 'transformer', 'cabinet', 'breaker')),
    measuring_point integer NOT NULL CONSTRAINT seal_measuring_point_fkey REFERENCES measuring_point (id),
    meter text CONSTRAINT seal_meter_fkey REFERENCES meter (id),
    mounted_at timestamptz NOT NULL,
    mounted_by text NOT NULL,
    removed_at timestamptz,
    removed_by text,
    CONSTRAINT seal_removed_check CHECK (removed_at >= mounted_at AND (removed_at IS NULL) = (removed_by IS NULL))
);
CREATE INDEX seal_measuring_point_ix ON seal (measuring_point);
COMMENT ON TABLE seal IS 'Plomba: a number is used once';
"""

MOUNTED = """
-- A meter that feeds channels of one point hangs there for as long as it feeds them.
-- Points that two fed at a time allow several.
CREATE TEMPORARY TABLE hung ON COMMIT DROP AS
    SELECT e.device AS meter, min(p.id) AS point,
           tstzrange(nullif(min(coalesce(lower(m.valid), '-infinity')), '-infinity'),
                     nullif(max(coalesce(upper(m.valid), 'infinity')), 'infinity')) AS valid
    FROM channel_mapping m JOIN evidence_channel e ON e.id = m.evidence_channel
    JOIN channel c ON c.id = m.channel JOIN measuring_point p ON p.name = c.point
    GROUP BY e.device HAVING count(DISTINCT p.id) = 1;
UPDATE measuring_point SET several = true WHERE id IN (
    SELECT a.point FROM hung a JOIN hung b ON b.point = a.point AND b.meter <> a.meter AND b.valid && a.valid);
INSERT INTO mounting (meter, measuring_point, several, valid)
    SELECT h.meter, p.id, p.several, h.valid FROM hung h JOIN measuring_point p ON p.id = h.point ORDER BY h.meter;
DROP TABLE hung;
"""

LINES = """
CREATE TABLE modem (
    id integer GENERATED ALWAYS AS IDENTITY CONSTRAINT modem_pkey PRIMARY KEY,
    serial text NOT NULL CONSTRAINT modem_serial_key UNIQUE,
    model text NOT NULL,
    kind text NOT NULL CONSTRAINT modem_kind_check
        CHECK (kind IN ('gsm', 'lte', 'nb-iot', 'plc', 'radio', 'ethernet')),
    iccid text CONSTRAINT modem_iccid_key UNIQUE,
    phone text,
    place text NOT NULL DEFAULT ''
);
COMMENT ON TABLE modem IS 'Modem: what a line runs over where it is no cable';

CREATE TABLE bus (
    id integer GENERATED ALWAYS AS IDENTITY CONSTRAINT bus_pkey PRIMARY KEY,
    concentrator text NOT NULL CONSTRAINT bus_concentrator_fkey REFERENCES concentrator (id),
    name text NOT NULL,
    protocol text NOT NULL CONSTRAINT bus_protocol_check
        CHECK (protocol IN ('hdlc', 'dlms-wrapper', 'modbus-rtu', 'modbus-tcp', 'iec62056-21')),
    link jsonb NOT NULL,
    phase_ms integer NOT NULL DEFAULT 0,
    modem integer CONSTRAINT bus_modem_fkey REFERENCES modem (id) CONSTRAINT bus_modem_key UNIQUE,
    CONSTRAINT bus_concentrator_name_key UNIQUE (concentrator, name)
);
COMMENT ON TABLE bus IS 'Sběrnice: a line of a concentrator with its link (serial port or TCP peer) and protocol';

CREATE TABLE attachment (
    id integer GENERATED ALWAYS AS IDENTITY CONSTRAINT attachment_pkey PRIMARY KEY,
    meter text NOT NULL CONSTRAINT attachment_meter_fkey REFERENCES meter (id),
    bus integer NOT NULL CONSTRAINT attachment_bus_fkey REFERENCES bus (id),
    address jsonb NOT NULL,
    listens text NOT NULL,
    template text NOT NULL,
    overrides jsonb NOT NULL DEFAULT '{}',
    valid tstzrange NOT NULL CONSTRAINT attachment_valid_check CHECK (NOT isempty(valid)),
    CONSTRAINT attachment_meter_valid_excl EXCLUDE USING gist (meter WITH =, valid WITH &&),
    CONSTRAINT attachment_bus_valid_excl EXCLUDE USING gist (bus WITH =, listens WITH =, valid WITH &&)
);
COMMENT ON TABLE attachment IS 'Připojení: under which address of which bus a meter answers, since when until when';
COMMENT ON COLUMN attachment.listens IS 'the address as one text: what no two meters of a bus may have at a time';

CREATE TABLE meter_template (
    name text NOT NULL CONSTRAINT meter_template_pkey PRIMARY KEY,
    body jsonb NOT NULL,
    made_at timestamptz NOT NULL,
    made_by text NOT NULL
);
COMMENT ON TABLE meter_template IS
    'Šablona měřidla beside the shipped ones: registers, and how a concentrator reads them';

CREATE TABLE meter_key (
    id integer GENERATED ALWAYS AS IDENTITY CONSTRAINT meter_key_pkey PRIMARY KEY,
    meter text NOT NULL CONSTRAINT meter_key_meter_fkey REFERENCES meter (id),
    field text NOT NULL CONSTRAINT meter_key_field_check
        CHECK (field IN ('security.encryption_key', 'security.authentication_key')),
    version integer NOT NULL CONSTRAINT meter_key_version_check CHECK (version > 0),
    ciphertext bytea NOT NULL,
    store_key text NOT NULL,
    set_at timestamptz NOT NULL,
    set_by text NOT NULL,
    replaced_at timestamptz,
    CONSTRAINT meter_key_meter_field_version_key UNIQUE (meter, field, version)
);
CREATE UNIQUE INDEX meter_key_present_ix ON meter_key (meter, field) WHERE replaced_at IS NULL;
COMMENT ON TABLE meter_key IS 'Keys of meters, encrypted; the key for that is in a file and not in the database';
COMMENT ON COLUMN meter_key.store_key IS 'short name of the key it is encrypted with';

CREATE TABLE managed_concentrator (
    concentrator text NOT NULL CONSTRAINT managed_concentrator_pkey PRIMARY KEY
        CONSTRAINT managed_concentrator_concentrator_fkey REFERENCES concentrator (id),
    settings jsonb NOT NULL DEFAULT '{}',
    since timestamptz NOT NULL,
    managed_by text NOT NULL,
    looked_at timestamptz
);
COMMENT ON TABLE managed_concentrator IS 'Concentrators whose configuration is generated from the registry';
COMMENT ON COLUMN managed_concentrator.looked_at IS 'of this instant is what was generated last';

CREATE TABLE generated_configuration (
    concentrator text NOT NULL,
    number integer NOT NULL,
    plan jsonb NOT NULL,
    recipient text,
    CONSTRAINT generated_configuration_pkey PRIMARY KEY (concentrator, number),
    CONSTRAINT generated_configuration_number_fkey FOREIGN KEY (concentrator, number)
        REFERENCES edge_configuration (concentrator, number)
);
CREATE TRIGGER generated_configuration_append_only BEFORE UPDATE OR DELETE ON generated_configuration
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
COMMENT ON TABLE generated_configuration IS
    'Append-only: what the registry said when a configuration was generated; keys by meter, field and version';
"""

TOPOLOGY = """
CREATE TABLE network_element (
    id integer GENERATED ALWAYS AS IDENTITY CONSTRAINT network_element_pkey PRIMARY KEY,
    name text NOT NULL CONSTRAINT network_element_name_key UNIQUE,
    kind text NOT NULL CONSTRAINT network_element_kind_check CHECK (kind IN ('node', 'feeder', 'transformer')),
    state text NOT NULL CONSTRAINT network_element_state_check
        CHECK (state IN ('planned', 'built', 'in_service', 'withdrawn')),
    state_since date NOT NULL,
    project text NOT NULL DEFAULT '',
    place text NOT NULL DEFAULT '',
    rated_kva integer CONSTRAINT network_element_rated_kva_check CHECK (rated_kva > 0)
);
COMMENT ON TABLE network_element IS 'Prvek sítě: node, feeder or transformer';

CREATE TABLE network_element_step (
    id integer GENERATED ALWAYS AS IDENTITY CONSTRAINT network_element_step_pkey PRIMARY KEY,
    element integer NOT NULL CONSTRAINT network_element_step_element_fkey REFERENCES network_element (id),
    state text NOT NULL CONSTRAINT network_element_step_state_check
        CHECK (state IN ('planned', 'built', 'in_service', 'withdrawn')),
    since date NOT NULL,
    project text NOT NULL,
    person text NOT NULL,
    reason text NOT NULL
);
CREATE INDEX network_element_step_element_ix ON network_element_step (element);
CREATE TRIGGER network_element_step_append_only BEFORE UPDATE OR DELETE ON network_element_step
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
COMMENT ON TABLE network_element_step IS 'Append-only: every state of a network element with its date and project';

CREATE TABLE element_supply (
    id integer GENERATED ALWAYS AS IDENTITY CONSTRAINT element_supply_pkey PRIMARY KEY,
    element integer NOT NULL CONSTRAINT element_supply_element_fkey REFERENCES network_element (id),
    fed_from integer NOT NULL CONSTRAINT element_supply_fed_from_fkey REFERENCES network_element (id),
    valid tstzrange NOT NULL CONSTRAINT element_supply_valid_check CHECK (NOT isempty(valid)),
    CONSTRAINT element_supply_self_check CHECK (element <> fed_from),
    CONSTRAINT element_supply_element_valid_excl EXCLUDE USING gist (element WITH =, valid WITH &&)
);
CREATE INDEX element_supply_fed_from_ix ON element_supply (fed_from);
COMMENT ON TABLE element_supply IS 'What feeds a network element, since when until when; one at a time';

CREATE TABLE point_supply (
    id integer GENERATED ALWAYS AS IDENTITY CONSTRAINT point_supply_pkey PRIMARY KEY,
    measuring_point integer NOT NULL
        CONSTRAINT point_supply_measuring_point_fkey REFERENCES measuring_point (id),
    element integer CONSTRAINT point_supply_element_fkey REFERENCES network_element (id),
    parent integer CONSTRAINT point_supply_parent_fkey REFERENCES measuring_point (id),
    valid tstzrange NOT NULL CONSTRAINT point_supply_valid_check CHECK (NOT isempty(valid)),
    CONSTRAINT point_supply_source_check CHECK (num_nonnulls(element, parent) >= 1),
    CONSTRAINT point_supply_self_check CHECK (parent <> measuring_point),
    CONSTRAINT point_supply_measuring_point_valid_excl EXCLUDE USING gist (measuring_point WITH =, valid WITH &&)
);
CREATE INDEX point_supply_element_ix ON point_supply (element);
CREATE INDEX point_supply_parent_ix ON point_supply (parent);
COMMENT ON TABLE point_supply IS 'Which element and which parent meter''s point a measuring point hangs behind';

CREATE TABLE outage (
    id integer GENERATED ALWAYS AS IDENTITY CONSTRAINT outage_pkey PRIMARY KEY,
    planned boolean NOT NULL,
    cause text NOT NULL,
    element integer CONSTRAINT outage_element_fkey REFERENCES network_element (id),
    valid tstzrange NOT NULL CONSTRAINT outage_valid_check CHECK (NOT isempty(valid) AND NOT lower_inf(valid)),
    announced_at timestamptz,
    recorded_at timestamptz NOT NULL,
    recorded_by text NOT NULL,
    cancelled_at timestamptz,
    revision integer NOT NULL DEFAULT 1
);
CREATE INDEX outage_valid_ix ON outage USING gist (valid);
COMMENT ON TABLE outage IS 'Odstávka (planned) or porucha: no energy flows, so a zero there has a reason';

CREATE TABLE outage_point (
    outage integer NOT NULL CONSTRAINT outage_point_outage_fkey REFERENCES outage (id),
    measuring_point integer NOT NULL
        CONSTRAINT outage_point_measuring_point_fkey REFERENCES measuring_point (id),
    named_by text NOT NULL CONSTRAINT outage_point_named_by_check CHECK (named_by IN ('topology', 'hand')),
    CONSTRAINT outage_point_pkey PRIMARY KEY (outage, measuring_point)
);
CREATE INDEX outage_point_measuring_point_ix ON outage_point (measuring_point);
COMMENT ON TABLE outage_point IS 'Measuring points that an outage hits: found by topology, or named by hand';
"""

DOCUMENTS = """
CREATE TABLE document (
    id integer GENERATED ALWAYS AS IDENTITY CONSTRAINT document_pkey PRIMARY KEY,
    name text NOT NULL,
    media_type text NOT NULL,
    sha256 bytea NOT NULL CONSTRAINT document_sha256_check CHECK (sha256 = sha256(octets)),
    octets bytea NOT NULL CONSTRAINT document_octets_check CHECK (octet_length(octets) BETWEEN 1 AND 20971520),
    stored_at timestamptz NOT NULL,
    stored_by text NOT NULL
);
ALTER TABLE document ALTER COLUMN octets SET STORAGE EXTERNAL;
CREATE INDEX document_sha256_ix ON document (sha256);
CREATE TRIGGER document_append_only BEFORE UPDATE OR DELETE ON document
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
COMMENT ON TABLE document IS 'Append-only: files as they were given or made, with their digest';

CREATE TABLE meter_act (
    id integer GENERATED ALWAYS AS IDENTITY CONSTRAINT meter_act_pkey PRIMARY KEY,
    kind text NOT NULL CONSTRAINT meter_act_kind_check CHECK (kind IN ('mounting', 'removal', 'exchange')),
    measuring_point integer NOT NULL CONSTRAINT meter_act_measuring_point_fkey REFERENCES measuring_point (id),
    at timestamptz NOT NULL,
    removed text CONSTRAINT meter_act_removed_fkey REFERENCES meter (id),
    mounted text CONSTRAINT meter_act_mounted_fkey REFERENCES meter (id),
    facts jsonb NOT NULL,
    reason text NOT NULL,
    made_at timestamptz NOT NULL,
    made_by text NOT NULL,
    CONSTRAINT meter_act_meters_check CHECK (
        (kind <> 'mounting') = (removed IS NOT NULL) AND (kind <> 'removal') = (mounted IS NOT NULL))
);
CREATE INDEX meter_act_measuring_point_ix ON meter_act (measuring_point, at);
CREATE TRIGGER meter_act_append_only BEFORE UPDATE OR DELETE ON meter_act
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
COMMENT ON TABLE meter_act IS 'Append-only: mounting, removal and exchange (výměna) of meters with their states';

CREATE TABLE meter_act_document (
    meter_act integer NOT NULL CONSTRAINT meter_act_document_meter_act_fkey REFERENCES meter_act (id),
    document integer NOT NULL CONSTRAINT meter_act_document_document_fkey REFERENCES document (id),
    role text NOT NULL CONSTRAINT meter_act_document_role_check CHECK (role IN ('photo', 'protocol', 'other')),
    CONSTRAINT meter_act_document_pkey PRIMARY KEY (meter_act, document)
);
COMMENT ON TABLE meter_act_document IS 'Photos and the protocol of an act on a meter';
"""


def upgrade() -> None:
    """Create the tables; every channel's point becomes a measuring point with a logical meter and mounted meters."""
    op.execute(POINTS)
    op.execute(MOUNTINGS)
    op.execute(MOUNTED)
    op.execute(LINES)
    op.execute(TOPOLOGY)
    op.execute(DOCUMENTS)


def downgrade() -> None:
    """Remove them; a channel's point is a name again."""
    op.execute("DROP TABLE meter_act_document, meter_act, document")
    op.execute("DROP TABLE outage_point, outage, point_supply, element_supply, network_element_step, network_element")
    op.execute("DROP TABLE generated_configuration, managed_concentrator, meter_key, meter_template")
    op.execute("DROP TABLE attachment, bus, modem, seal, instrument_transformer, mounting")
    op.execute("DROP TRIGGER channel_has_its_point ON channel")
    op.execute("DROP FUNCTION channel_has_its_point()")
    op.execute("ALTER TABLE channel DROP CONSTRAINT channel_point_fkey, DROP COLUMN logical_meter")
    op.execute("DROP TABLE logical_meter, measuring_point, board")
