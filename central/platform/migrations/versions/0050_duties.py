"""market: messages are packed by lz4 where the server has it.

A month of interval data of a point is half a megabyte of text: the server's own way of packing takes ten times as long
for it, as much as building and storing all the rest of the message.
"""

from alembic import op

revision = "0050"
down_revision = "0049"
branch_labels = None
depends_on = None

_PACK = """
DO $$ BEGIN
    IF (SELECT 'lz4' = ANY (enumvals) FROM pg_settings WHERE name = 'default_toast_compression') THEN
        ALTER TABLE market_message ALTER COLUMN xml SET COMPRESSION lz4;
    END IF;
END $$
"""


def upgrade() -> None:
    """New messages only; those that are there stay as they are, and are read alike."""
    op.execute(_PACK)


def downgrade() -> None:
    """The server's own way for new messages again."""
    op.execute("ALTER TABLE market_message ALTER COLUMN xml SET COMPRESSION default")
