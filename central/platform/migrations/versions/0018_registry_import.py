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

BACK = """
DROP TABLE registry_import, registry_mapping;
"""


def upgrade() -> None:
    op.execute(IMPORTS)


def downgrade() -> None:
    op.execute(BACK)
