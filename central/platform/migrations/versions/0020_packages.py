"""packages: keys that the operator trusts, what is accepted unsigned or informative, journal of what was picked up."""

from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None

KEY = """
CREATE TABLE package_key (
    id text CONSTRAINT package_key_pkey PRIMARY KEY
        CONSTRAINT package_key_id_check CHECK (id ~ '^[0-9a-f]{16}$'),
    name text NOT NULL,
    public_key text NOT NULL,
    trusted boolean NOT NULL,
    reason text NOT NULL,
    changed_at timestamptz NOT NULL,
    changed_by text NOT NULL
);
COMMENT ON TABLE package_key IS
    'Keys that sign legislative packages: those that the operator trusts, and those trusted no more';
"""

PACKAGE = """
ALTER TABLE package
    ADD COLUMN binding boolean NOT NULL DEFAULT true,
    ADD COLUMN unsigned_reason text,
    ADD COLUMN informative_reason text;
ALTER TABLE package ALTER COLUMN binding DROP DEFAULT;
UPDATE package SET unsigned_reason = 'installed before packages were signed' WHERE signature IS NULL;
ALTER TABLE package
    ADD CONSTRAINT package_signed_check CHECK ((signature IS NULL) = (unsigned_reason IS NOT NULL)),
    ADD CONSTRAINT package_binding_check CHECK (binding OR NOT active OR informative_reason IS NOT NULL);
COMMENT ON COLUMN package.unsigned_reason IS 'Why a package without signature was accepted';
COMMENT ON COLUMN package.informative_reason IS 'Why a package that does not bind is settled by';
"""

PICKUP = """
CREATE TABLE package_source (
    url text CONSTRAINT package_source_pkey PRIMARY KEY,
    etag text,
    last_modified text,
    looked_at timestamptz NOT NULL,
    answer text NOT NULL
);
COMMENT ON TABLE package_source IS 'Trusted addresses of packages: what they answered last';

CREATE TABLE package_pickup (
    id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT package_pickup_pkey PRIMARY KEY,
    place text NOT NULL,
    digest text NOT NULL,
    outcome text NOT NULL
        CONSTRAINT package_pickup_outcome_check CHECK (outcome IN ('installed', 'present', 'quarantined')),
    package text,
    reason text,
    content bytea,
    at timestamptz NOT NULL,
    CONSTRAINT package_pickup_place_digest_key UNIQUE (place, digest),
    CONSTRAINT package_pickup_quarantined_check
        CHECK ((outcome = 'quarantined') = (reason IS NOT NULL AND content IS NOT NULL))
);
COMMENT ON TABLE package_pickup IS
    'Packages taken from the trusted folder and addresses; what could not be taken, byte for byte with the reason';
"""


def upgrade() -> None:
    for statement in (KEY, PACKAGE, PICKUP):
        op.execute(statement)


def downgrade() -> None:
    op.execute("""
        DROP TABLE package_pickup, package_source, package_key;
        ALTER TABLE package
            DROP CONSTRAINT package_binding_check,
            DROP CONSTRAINT package_signed_check,
            DROP COLUMN informative_reason,
            DROP COLUMN unsigned_reason,
            DROP COLUMN binding;
    """)
