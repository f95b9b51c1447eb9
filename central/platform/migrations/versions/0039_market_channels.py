"""market_channels: the archive of all that was sent and received, and what is kept apart."""

from alembic import op

revision = "0039"
down_revision = "0036"
branch_labels = None
depends_on = None

ARCHIVE = """
CREATE TABLE market_archive (
    id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT market_archive_pkey PRIMARY KEY,
    direction text NOT NULL CONSTRAINT market_archive_direction_check CHECK (direction IN ('out', 'in')),
    channel text NOT NULL,
    environment text NOT NULL CONSTRAINT market_archive_environment_check
        CHECK (environment IN ('production', 'sandbox')),
    at timestamptz NOT NULL,
    peer text NOT NULL,
    identity text NOT NULL,
    message_id text,
    octets bytea NOT NULL CONSTRAINT market_archive_octets_check CHECK (octet_length(octets) <= 30000000),
    sha256 bytea NOT NULL,
    signed bytea,
    content_sha256 bytea,
    certificate text,
    verdict text NOT NULL CONSTRAINT market_archive_verdict_check
        CHECK (verdict IN ('sent', 'reply', 'opened', 'duplicate', 'refused')),
    why text,
    CONSTRAINT market_archive_sha256_check CHECK (sha256 = sha256(octets)),
    CONSTRAINT market_archive_why_check CHECK (verdict NOT IN ('refused', 'duplicate') OR why IS NOT NULL)
);
-- encrypted or signed octets cannot be compressed: the attempt would cost more than the storing
ALTER TABLE market_archive ALTER COLUMN octets SET STORAGE EXTERNAL;
CREATE INDEX market_archive_at_ix ON market_archive (at);
CREATE INDEX market_archive_identity_ix ON market_archive (channel, identity) WHERE direction = 'in';
CREATE INDEX market_archive_content_ix ON market_archive (content_sha256) WHERE verdict = 'opened';
CREATE INDEX market_archive_message_id_ix ON market_archive (message_id) WHERE message_id IS NOT NULL;
CREATE TRIGGER market_archive_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON market_archive
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
COMMENT ON TABLE market_archive IS
    'Append-only archiv komunikace: all that was sent to and received from the market operator, unchanged';
COMMENT ON COLUMN market_archive.peer IS 'The other end: its code, or the address it came from';
COMMENT ON COLUMN market_archive.identity IS 'Message-ID of a mail, message id of a SOAP header, file name';
COMMENT ON COLUMN market_archive.message_id IS 'id of our message in the octets sent';
COMMENT ON COLUMN market_archive.octets IS 'As they travelled';
COMMENT ON COLUMN market_archive.signed IS 'CMS SignedData where the octets travelled encrypted';
COMMENT ON COLUMN market_archive.content_sha256 IS 'Of the XML in the octets';
COMMENT ON COLUMN market_archive.certificate IS 'SHA-256 of the signer''s certificate, hex';
"""

ASIDE = """
CREATE TABLE market_aside (
    id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT market_aside_pkey PRIMARY KEY,
    channel text NOT NULL,
    at timestamptz NOT NULL,
    peer text NOT NULL,
    identity text NOT NULL,
    octets bytea NOT NULL,
    sha256 bytea NOT NULL,
    why text NOT NULL,
    CONSTRAINT market_aside_channel_identity_sha256_key UNIQUE (channel, identity, sha256),
    CONSTRAINT market_aside_sha256_check CHECK (sha256 = sha256(octets))
);
COMMENT ON TABLE market_aside IS
    'What came and is no message for us, mail without signature and encryption: kept apart, never processed';
COMMENT ON COLUMN market_aside.octets IS 'Of a large one only its beginning';
COMMENT ON COLUMN market_aside.sha256 IS 'Of the octets kept';
"""


def upgrade() -> None:
    op.execute(ARCHIVE)
    op.execute(ASIDE)


def downgrade() -> None:
    op.execute("DROP TABLE market_aside")
    op.execute("DROP TABLE market_archive")
