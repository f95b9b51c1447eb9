"""market_channels: replies that wait to be read, and what strangers may fill."""

from alembic import op

revision = "0052"
down_revision = "0051"
branch_labels = None
depends_on = None

TABLES = """
CREATE TABLE market_waiting_reply (
    archive bigint CONSTRAINT market_waiting_reply_pkey PRIMARY KEY
        CONSTRAINT market_waiting_reply_archive_fkey REFERENCES market_archive (id),
    channel text NOT NULL,
    environment text NOT NULL CONSTRAINT market_waiting_reply_environment_check
        CHECK (environment IN ('production', 'sandbox'))
);
COMMENT ON TABLE market_waiting_reply IS 'A direct reply with a market message in it that is not read yet';

CREATE TABLE market_unasked (
    channel text NOT NULL,
    kind text NOT NULL CONSTRAINT market_unasked_kind_check CHECK (kind IN ('refused', 'aside')),
    day date NOT NULL,
    kept bigint NOT NULL,
    kept_octets bigint NOT NULL,
    dropped bigint NOT NULL,
    dropped_octets bigint NOT NULL,
    last_at timestamptz NOT NULL,
    CONSTRAINT market_unasked_pkey PRIMARY KEY (channel, kind, day)
);
COMMENT ON TABLE market_unasked IS
    'What strangers brought, by channel and day (UTC), so that it cannot fill the archive';
COMMENT ON COLUMN market_unasked.dropped IS 'Over the day''s quota: counted, not kept';
"""


def upgrade() -> None:
    op.execute(TABLES)


def downgrade() -> None:
    op.execute("DROP TABLE market_unasked")
    op.execute("DROP TABLE market_waiting_reply")
