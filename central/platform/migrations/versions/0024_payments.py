"""payments: open items."""

from alembic import op

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None

RECEIVABLES = """
CREATE TABLE receivable (
    id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT receivable_pkey PRIMARY KEY,
    kind text NOT NULL
        CONSTRAINT receivable_kind_check CHECK (kind IN ('invoice', 'credit', 'advance', 'fee', 'penalty')),
    number text NOT NULL,
    seller bigint NOT NULL CONSTRAINT receivable_seller_fkey REFERENCES party (id),
    payer bigint NOT NULL CONSTRAINT receivable_payer_fkey REFERENCES party (id),
    contract bigint CONSTRAINT receivable_contract_fkey REFERENCES contract (id),
    account bigint CONSTRAINT receivable_account_fkey REFERENCES contract_account (id),
    invoice bigint CONSTRAINT receivable_invoice_fkey REFERENCES invoice (id)
        CONSTRAINT receivable_invoice_key UNIQUE,
    advance bigint CONSTRAINT receivable_advance_key UNIQUE,
    variable_symbol text NOT NULL
        CONSTRAINT receivable_variable_symbol_check CHECK (variable_symbol ~ '^[0-9]{1,10}$'),
    specific_symbol text
        CONSTRAINT receivable_specific_symbol_check CHECK (specific_symbol ~ '^[0-9]{1,10}$'),
    issued_on date NOT NULL,
    due date NOT NULL,
    amount numeric(14, 2) NOT NULL,
    currency text NOT NULL DEFAULT 'CZK' CONSTRAINT receivable_currency_check CHECK (currency ~ '^[A-Z]{3}$'),
    allocated numeric(14, 2) NOT NULL DEFAULT 0,
    closed numeric(14, 2) NOT NULL DEFAULT 0,
    symbol bigint GENERATED ALWAYS AS (variable_symbol::bigint) STORED,
    rest numeric(14, 2) GENERATED ALWAYS AS (amount - sign(amount) * (allocated + closed)) STORED,
    is_open boolean GENERATED ALWAYS AS (allocated + closed < abs(amount)) STORED,
    CONSTRAINT receivable_amount_check CHECK ((kind = 'credit') = (amount < 0)),
    CONSTRAINT receivable_allocated_check
        CHECK (allocated >= 0 AND closed >= 0 AND allocated + closed <= abs(amount)),
    CONSTRAINT receivable_stands_for_check CHECK (invoice IS NULL OR advance IS NULL),
    CONSTRAINT receivable_advance_check CHECK (kind <> 'advance' OR advance IS NOT NULL)
);
CREATE INDEX receivable_contract_ix ON receivable (contract);
CREATE INDEX receivable_symbol_ix ON receivable (symbol, due, id) WHERE is_open;
CREATE INDEX receivable_account_ix ON receivable (account, due, id);
CREATE INDEX receivable_payer_ix ON receivable (payer, due, id);
CREATE INDEX receivable_due_ix ON receivable (due, id) WHERE is_open;
CREATE INDEX receivable_number_ix ON receivable (number);
COMMENT ON TABLE receivable IS
    'Pohledávka (otevřená položka): what is to be paid and by whom; negative where the seller owes';

-- what was issued before this revision is to be paid as well
INSERT INTO receivable (kind, number, seller, payer, invoice, variable_symbol, issued_on, due, amount, currency)
SELECT CASE WHEN i.gross < 0 THEN 'credit' ELSE 'invoice' END, i.number, i.supplier, i.payer, i.id,
       i.variable_symbol, i.issue_date, i.due_date, i.gross, i.currency
  FROM invoice i WHERE i.state <> 'cancelled' ORDER BY i.id;
"""

BACK = """
DROP TABLE receivable;
"""


def upgrade() -> None:
    op.execute(RECEIVABLES)


def downgrade() -> None:
    op.execute(BACK)
