"""registry_import: saved mappings, files that were imported, and what the overviews of 100,000 points need."""

from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

IMPORTS = """
CREATE TABLE registry_mapping (
    name text NOT NULL,
    version integer NOT NULL CONSTRAINT registry_mapping_version_check CHECK (version > 0),
    body jsonb NOT NULL,
    made_at timestamptz NOT NULL,
    made_by text NOT NULL,
    reason text NOT NULL,
    CONSTRAINT registry_mapping_pkey PRIMARY KEY (name, version)
);
COMMENT ON TABLE registry_mapping IS
    'Append-only: how columns of files are fields of the registry; the highest version is used';

CREATE TABLE registry_import (
    id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT registry_import_pkey PRIMARY KEY,
    name text NOT NULL,
    sha256 bytea NOT NULL CONSTRAINT registry_import_sha256_check CHECK (octet_length(sha256) = 32),
    size integer NOT NULL,
    mapping text NOT NULL,
    mapping_version integer NOT NULL CONSTRAINT registry_import_mapping_version_check CHECK (mapping_version >= 0),
    rows integer NOT NULL,
    counts jsonb NOT NULL,
    imported_at timestamptz NOT NULL,
    imported_by text NOT NULL,
    CONSTRAINT registry_import_sha256_mapping_mapping_version_key UNIQUE (sha256, mapping, mapping_version)
);
COMMENT ON TABLE registry_import IS
    'Append-only: files of customers, supply points and meters that were imported, whole';
COMMENT ON COLUMN registry_import.mapping_version IS '0: one that comes with the system';
COMMENT ON COLUMN registry_import.counts IS 'by section: inserted, unchanged';
"""

OVERVIEWS = """
CREATE INDEX meter_search_ix ON meter USING gin (fold(id || ' ' || serial || ' ' || place) gin_trgm_ops);
CREATE INDEX meter_serial_ix ON meter (serial, id);
CREATE INDEX meter_model_ix ON meter (model, id);
CREATE INDEX meter_commodity_ix ON meter (commodity, id);
CREATE INDEX measuring_point_search_ix ON measuring_point USING gin (fold(name || ' ' || place) gin_trgm_ops);
CREATE INDEX measuring_point_commodity_ix ON measuring_point (commodity, name, id);
CREATE INDEX work_order_due_ix ON work_order (due, route_order, id);
CREATE INDEX service_case_opened_at_ix ON service_case (opened_at, id);
CREATE INDEX party_code_id_ix ON party (code, id);
ALTER TABLE party ADD COLUMN name_folded text GENERATED ALWAYS AS (fold(name)) STORED;
CREATE INDEX supply_point_category_ix ON supply_point (category, ean, id);
CREATE INDEX supply_point_point_type_ix ON supply_point (point_type, ean, id);
-- With the id: a page far down is found in the index alone.
DROP INDEX supply_point_state_ix, supply_point_supplier_ix, supply_point_commodity_level_ix;
CREATE INDEX supply_point_state_ix ON supply_point (state, ean, id);
CREATE INDEX supply_point_supplier_ix ON supply_point (supplier, ean, id);
CREATE INDEX supply_point_commodity_level_ix ON supply_point (commodity, voltage_level, metering_type, ean, id);
CREATE INDEX supply_point_level_type_ix ON supply_point (voltage_level, metering_type, ean, id);
"""

BACK = """
DROP INDEX meter_search_ix, meter_serial_ix, meter_model_ix, meter_commodity_ix, measuring_point_search_ix,
    measuring_point_commodity_ix, work_order_due_ix, service_case_opened_at_ix, party_code_id_ix,
    supply_point_category_ix, supply_point_point_type_ix, supply_point_level_type_ix, supply_point_state_ix,
    supply_point_supplier_ix,
    supply_point_commodity_level_ix;
CREATE INDEX supply_point_state_ix ON supply_point (state, ean);
CREATE INDEX supply_point_supplier_ix ON supply_point (supplier, ean);
CREATE INDEX supply_point_commodity_level_ix ON supply_point (commodity, voltage_level, metering_type, ean);
ALTER TABLE party DROP COLUMN name_folded;
DROP TABLE registry_import, registry_mapping;
"""


def upgrade() -> None:
    op.execute(IMPORTS)
    op.execute(OVERVIEWS)


def downgrade() -> None:
    op.execute(BACK)
