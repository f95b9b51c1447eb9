"""readings: files of other systems as evidence (sources, mappings, files), revoked batches, views for reporting."""

from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

REVOKED = """
ALTER TABLE batch ADD COLUMN revoked_at timestamptz;
CREATE INDEX batch_revoked_ix ON batch (id) WHERE revoked_at IS NOT NULL;
COMMENT ON COLUMN batch.revoked_at IS
    'When its file was revoked: what it holds stays as evidence and counts for nothing';
"""

SOURCES = """
CREATE TABLE import_source (
    code text NOT NULL CONSTRAINT import_source_pkey PRIMARY KEY
        CONSTRAINT import_source_code_fkey REFERENCES concentrator (id),
    name text NOT NULL,
    made_at timestamptz NOT NULL,
    made_by text NOT NULL
);
COMMENT ON TABLE import_source IS
    'Zdroj importu: another system whose files are evidence; its code is that of a concentrator that no edge is';

CREATE TABLE import_mapping (
    source text NOT NULL CONSTRAINT import_mapping_source_fkey REFERENCES import_source (code),
    version integer NOT NULL CONSTRAINT import_mapping_version_check CHECK (version > 0),
    body jsonb NOT NULL,
    made_at timestamptz NOT NULL,
    made_by text NOT NULL,
    reason text NOT NULL,
    CONSTRAINT import_mapping_pkey PRIMARY KEY (source, version)
);
CREATE TRIGGER import_mapping_append_only BEFORE UPDATE OR DELETE ON import_mapping
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
COMMENT ON TABLE import_mapping IS 'Append-only: how files of a source are read; the highest version is used';

CREATE TABLE import_binding (
    source text NOT NULL CONSTRAINT import_binding_source_fkey REFERENCES import_source (code),
    key text NOT NULL,
    evidence_channel integer NOT NULL
        CONSTRAINT import_binding_evidence_channel_fkey REFERENCES evidence_channel (id),
    made_at timestamptz NOT NULL,
    made_by text NOT NULL,
    CONSTRAINT import_binding_pkey PRIMARY KEY (source, key),
    CONSTRAINT import_binding_source_evidence_channel_key UNIQUE (source, evidence_channel)
);
COMMENT ON TABLE import_binding IS 'Which register a series of a source''s files is (column, EAN, OBIS)';
"""

FILES = """
CREATE TABLE import_content (
    sha256 bytea NOT NULL CONSTRAINT import_content_pkey PRIMARY KEY
        CONSTRAINT import_content_sha256_check CHECK (octet_length(sha256) = 32),
    size bigint NOT NULL,
    body bytea NOT NULL
);
COMMENT ON TABLE import_content IS 'Octets of files as they came, once each; body is compressed (zlib), size is not';

CREATE TABLE import_file (
    id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT import_file_pkey PRIMARY KEY,
    source text NOT NULL,
    name text NOT NULL,
    sha256 bytea NOT NULL CONSTRAINT import_file_sha256_fkey REFERENCES import_content (sha256),
    mapping_version integer NOT NULL,
    state text NOT NULL CONSTRAINT import_file_state_check CHECK (state IN ('previewed', 'imported', 'revoked')),
    received_at timestamptz NOT NULL,
    received_by text NOT NULL,
    imported_at timestamptz,
    imported_by text,
    revoked_at timestamptz,
    revoked_by text,
    reason text,
    summary jsonb NOT NULL,
    CONSTRAINT import_file_source_mapping_version_fkey
        FOREIGN KEY (source, mapping_version) REFERENCES import_mapping (source, version),
    CONSTRAINT import_file_imported_check CHECK ((state = 'previewed') = (imported_at IS NULL)),
    CONSTRAINT import_file_revoked_check CHECK ((state = 'revoked') = (revoked_at IS NOT NULL AND reason IS NOT NULL))
);
CREATE UNIQUE INDEX import_file_imported_key ON import_file (source, sha256) WHERE state = 'imported';
CREATE UNIQUE INDEX import_file_previewed_key ON import_file (source, sha256) WHERE state = 'previewed';
CREATE INDEX import_file_source_ix ON import_file (source, id);
COMMENT ON TABLE import_file IS
    'A file of readings: previewed, imported (its batches have its id as epoch), revoked; summary: counts and faults';

CREATE TABLE import_request (
    source text NOT NULL CONSTRAINT import_request_source_fkey REFERENCES import_source (code),
    key text NOT NULL,
    file bigint NOT NULL CONSTRAINT import_request_file_fkey REFERENCES import_file (id),
    at timestamptz NOT NULL,
    CONSTRAINT import_request_pkey PRIMARY KEY (source, key)
);
COMMENT ON TABLE import_request IS 'Idempotency keys of other head-ends: the same request is answered with its file';
"""

# An electricity day starts at local midnight, a gas day at 06:00 local (as in day_profile_value).
VIEWS = """
CREATE VIEW day_profile_version_value AS
SELECT p.channel, c.point, c.direction, c.unit, c.exponent, p.day, p.version, p.made_at, p.made_by,
       item.place - 1 AS index,
       ((p.day + CASE c.commodity WHEN 'gas' THEN time '06:00' ELSE time '00:00' END)
           AT TIME ZONE 'Europe/Prague') + (item.place - 1) * p.step_ms * interval '1 millisecond' AS at,
       nullif(item.value, -2147483648) AS value,
       coalesce(p.quality[item.place], 0::smallint) AS quality,
       p.method[item.place] AS method
FROM day_profile p
JOIN channel c ON c.id = p.channel
CROSS JOIN LATERAL unnest(p."values") WITH ORDINALITY AS item (value, place);
COMMENT ON VIEW day_profile_version_value IS
    'One row a value of every version of each day; at is the beginning of the interval, a missing value NULL';

CREATE VIEW evidence_value AS
SELECT b.evidence_channel, e.concentrator, e.device AS meter, e.register, e.unit, e.exponent,
       b.start + (item.place - 1) * b.step * interval '1 millisecond' AS at,
       nullif(item.value, -2147483648) AS value,
       coalesce(b.quality[item.place], 0) AS flags,
       b.marks, b.batch_id AS batch, t.edge AS origin, t.received_at, t.revoked_at
FROM block b
JOIN evidence_channel e ON e.id = b.evidence_channel
LEFT JOIN batch t ON t.id = b.batch_id
CROSS JOIN LATERAL unnest(b."values") WITH ORDINALITY AS item (value, place);
COMMENT ON VIEW evidence_value IS
    'One row an interval value as it came, with its meter and register; origin is the concentrator or import source';

CREATE VIEW state_value AS
SELECT r.evidence_channel, e.concentrator, e.device AS meter, m.serial, e.register, e.unit, e.exponent,
       r.at, r.value, r.kind, r.flags, r.batch, r.origin, r.received_at, r.revoked_at,
       c.id AS channel, c.point, c.direction, s.ean
FROM (
    SELECT d.evidence_channel, d.at, d.value, 'remote' AS kind, d.quality AS flags, d.batch_id AS batch,
           t.edge AS origin, t.received_at, t.revoked_at
    FROM register_reading d
    LEFT JOIN batch t ON t.id = d.batch_id
    UNION ALL
    SELECT h.evidence_channel, h.at, h.value, h.kind, 0, NULL, h.entered_by, h.entered_at, h.revoked_at
    FROM meter_state h
) r
JOIN evidence_channel e ON e.id = r.evidence_channel
JOIN meter m ON m.id = e.device
LEFT JOIN channel_mapping k ON k.evidence_channel = r.evidence_channel AND k.valid @> r.at
LEFT JOIN channel c ON c.id = k.channel
LEFT JOIN supply_point s ON s.id = c.supply_point;
COMMENT ON VIEW state_value IS
    'One row a register state (stav), delivered or entered, with its meter and, where mapped, channel and supply point';

CREATE VIEW channel_month AS
SELECT newest.channel, c.point, c.direction, s.ean, date_trunc('month', newest.day)::date AS month, c.unit, c.exponent,
       count(*)::integer AS days,
       sum(total.value)::bigint AS value,
       sum(newest.missing)::integer AS missing,
       max(coalesce(total.worst, 0))::smallint AS worst_quality
FROM (
    SELECT DISTINCT ON (channel, day) channel, day, "values", quality, missing
    FROM day_profile
    ORDER BY channel, day, version DESC
) newest
JOIN channel c ON c.id = newest.channel
LEFT JOIN supply_point s ON s.id = c.supply_point
CROSS JOIN LATERAL (
    SELECT (SELECT sum(nullif(v, -2147483648)::bigint) FROM unnest(newest."values") AS v) AS value,
           (SELECT max(q) FROM unnest(newest.quality) AS q) AS worst
) total
GROUP BY newest.channel, c.point, c.direction, s.ean, date_trunc('month', newest.day), c.unit, c.exponent;
COMMENT ON VIEW channel_month IS
    'Sum of each channel and month of metering days, newest versions; missing: intervals without a value';
"""


def upgrade() -> None:
    """Create tables and views."""
    op.execute(REVOKED)
    op.execute(SOURCES)
    op.execute(FILES)
    op.execute(VIEWS)


def downgrade() -> None:
    """Remove them; evidence stays. What was revoked would count again, so this is refused while anything is revoked."""
    op.execute("""
        DO $$ BEGIN
            IF EXISTS (SELECT FROM batch WHERE revoked_at IS NOT NULL) THEN
                RAISE EXCEPTION 'batches are revoked: without revision 0013 they would count again';
            END IF;
        END $$
    """)
    op.execute("DROP VIEW channel_month, state_value, evidence_value, day_profile_version_value")
    op.execute("DROP TABLE import_request, import_file, import_content, import_binding, import_mapping, import_source")
    op.execute("ALTER TABLE batch DROP COLUMN revoked_at")
