"""market: when it was looked last for what must be told of a month."""

from alembic import op

revision = "0066"
down_revision = "0065"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Months by the last pass that looked at them; the next pass writes it of those that it looks at."""
    op.execute("""
        CREATE TABLE market_month (
            month date NOT NULL CONSTRAINT market_month_month_check CHECK (extract(day FROM month) = 1),
            looked_at timestamptz NOT NULL,
            CONSTRAINT market_month_pkey PRIMARY KEY (month)
        );
        COMMENT ON TABLE market_month IS
            'Měsíc hlášení: when it was looked last for what the market operator must be told of a month';
    """)
    op.execute("""
        -- whether the months that were told until now are done does not change
        INSERT INTO market_month SELECT DISTINCT month, now() FROM market_duty
    """)


def downgrade() -> None:
    """It is not known any more when it was looked."""
    op.execute("DROP TABLE market_month")
