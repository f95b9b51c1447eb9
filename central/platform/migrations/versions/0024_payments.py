"""payments: open items, bank statements and their payments, allocations, refunds, reminders, journal."""

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
CREATE INDEX receivable_symbol_ix ON receivable (symbol, due, id);
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

STATEMENTS = """
CREATE TABLE bank_file (
    id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT bank_file_pkey PRIMARY KEY,
    name text NOT NULL,
    form text NOT NULL CONSTRAINT bank_file_form_check CHECK (form IN ('abo', 'camt053')),
    content bytea NOT NULL,
    sha256 bytea NOT NULL CONSTRAINT bank_file_sha256_key UNIQUE
        CONSTRAINT bank_file_sha256_check CHECK (sha256 = sha256(content)),
    read_at timestamptz NOT NULL,
    read_by text NOT NULL
);
CREATE TRIGGER bank_file_append_only BEFORE UPDATE OR DELETE ON bank_file
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
COMMENT ON TABLE bank_file IS 'Append-only: files of bank statements, whole, as they came';

CREATE TABLE bank_statement (
    id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT bank_statement_pkey PRIMARY KEY,
    file bigint NOT NULL CONSTRAINT bank_statement_file_fkey REFERENCES bank_file (id),
    place integer NOT NULL,
    seller bigint NOT NULL CONSTRAINT bank_statement_seller_fkey REFERENCES party (id),
    iban text NOT NULL,
    number text NOT NULL,
    first_day date,
    last_day date NOT NULL,
    currency text NOT NULL,
    old_balance numeric(14, 2) NOT NULL,
    new_balance numeric(14, 2) NOT NULL,
    credit numeric(14, 2) NOT NULL CONSTRAINT bank_statement_credit_check CHECK (credit >= 0),
    debit numeric(14, 2) NOT NULL CONSTRAINT bank_statement_debit_check CHECK (debit >= 0),
    items integer NOT NULL,
    repeated jsonb NOT NULL,
    CONSTRAINT bank_statement_file_place_key UNIQUE (file, place),
    CONSTRAINT bank_statement_sum_check CHECK (old_balance + credit - debit = new_balance)
);
CREATE INDEX bank_statement_iban_last_day_ix ON bank_statement (iban, last_day);
CREATE TRIGGER bank_statement_append_only BEFORE UPDATE OR DELETE ON bank_statement
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
COMMENT ON TABLE bank_statement IS 'Bankovní výpis: one statement of one own account; its sums hold';
COMMENT ON COLUMN bank_statement.repeated IS 'Movements that another statement had brought: [place, payment]';

CREATE TABLE payment (
    id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT payment_pkey PRIMARY KEY,
    statement bigint,
    place integer,
    parent bigint CONSTRAINT payment_parent_fkey REFERENCES payment (id),
    seller bigint NOT NULL,
    iban text NOT NULL,
    form text NOT NULL,
    booked_on date NOT NULL,
    value_on date,
    amount numeric(14, 2) NOT NULL CONSTRAINT payment_amount_check CHECK (amount <> 0),
    currency text NOT NULL CONSTRAINT payment_currency_check CHECK (currency ~ '^[A-Z]{3}$'),
    counter_account text,
    counter_name text NOT NULL,
    variable_symbol text CONSTRAINT payment_variable_symbol_check CHECK (variable_symbol ~ '^[0-9]{1,10}$'),
    constant_symbol text,
    specific_symbol text,
    message text NOT NULL,
    reference text,
    content bytea NOT NULL,
    payer bigint CONSTRAINT payment_payer_fkey REFERENCES party (id),
    account bigint CONSTRAINT payment_account_fkey REFERENCES contract_account (id),
    state text NOT NULL
        CONSTRAINT payment_state_check CHECK (state IN ('parked', 'booked', 'split', 'refund', 'returned', 'outside')),
    parked text CONSTRAINT payment_parked_check CHECK (parked IN
        ('no_symbol', 'unknown_symbol', 'ambiguous', 'other_currency', 'outgoing', 'reversal', 'released')),
    by_hand boolean NOT NULL DEFAULT false,
    allocated numeric(14, 2) NOT NULL DEFAULT 0,
    symbol bigint GENERATED ALWAYS AS (variable_symbol::bigint) STORED,
    rest numeric(14, 2) GENERATED ALWAYS AS
        (CASE WHEN state = 'parked' OR state = 'booked' THEN amount - sign(amount) * allocated ELSE 0 END) STORED,
    CONSTRAINT payment_statement_place_key UNIQUE (statement, place),
    CONSTRAINT payment_origin_check CHECK (num_nonnulls(statement, parent) = 1),
    CONSTRAINT payment_place_check CHECK ((statement IS NULL) = (place IS NULL)),
    CONSTRAINT payment_reason_check CHECK ((state = 'parked') = (parked IS NOT NULL)),
    CONSTRAINT payment_booked_check CHECK (state <> 'booked' OR (payer IS NOT NULL AND amount > 0)),
    CONSTRAINT payment_allocated_check
        CHECK (allocated >= 0 AND allocated <= abs(amount) AND (allocated = 0 OR state = 'booked'))
);
CREATE INDEX payment_parent_ix ON payment (parent) WHERE parent IS NOT NULL;
CREATE INDEX payment_iban_booked_on_ix ON payment (iban, booked_on) WHERE parent IS NULL;
CREATE INDEX payment_booked_on_ix ON payment (booked_on, id);
CREATE INDEX payment_payer_ix ON payment (payer, booked_on);
CREATE INDEX payment_account_ix ON payment (account, booked_on);
CREATE INDEX payment_rest_ix ON payment (state, id) WHERE rest <> 0;
CREATE INDEX payment_symbol_ix ON payment (symbol);
COMMENT ON TABLE payment IS
    'Platba: a movement of an own account, or a part of one that was split; positive where money came in';
COMMENT ON COLUMN payment.statement IS 'No foreign key, nor has seller one: each costs a third of the booking';
COMMENT ON COLUMN payment.by_hand IS 'Matching leaves it alone: a person has taken it back';
COMMENT ON COLUMN payment.content IS 'Digest of account, day, amount, counter account and symbols';
"""

SETTLING = """
CREATE TABLE set_off (
    id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT set_off_pkey PRIMARY KEY,
    number text NOT NULL CONSTRAINT set_off_number_key UNIQUE,
    seller bigint NOT NULL CONSTRAINT set_off_seller_fkey REFERENCES party (id),
    payer bigint NOT NULL CONSTRAINT set_off_payer_fkey REFERENCES party (id),
    made_on date NOT NULL,
    total numeric(14, 2) NOT NULL CONSTRAINT set_off_total_check CHECK (total > 0),
    currency text NOT NULL,
    reason text NOT NULL,
    content bytea NOT NULL,
    digest text NOT NULL,
    made_at timestamptz NOT NULL,
    made_by text NOT NULL
);
CREATE INDEX set_off_payer_ix ON set_off (payer);
COMMENT ON TABLE set_off IS 'Zápočet: credits and receivables of one party set off against each other, as a document';

CREATE TABLE payment_order (
    id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT payment_order_pkey PRIMARY KEY,
    number text NOT NULL CONSTRAINT payment_order_number_key UNIQUE,
    seller bigint NOT NULL CONSTRAINT payment_order_seller_fkey REFERENCES party (id),
    form text NOT NULL CONSTRAINT payment_order_form_check CHECK (form IN ('abo', 'pain001')),
    iban text NOT NULL,
    due date NOT NULL,
    total numeric(14, 2) NOT NULL CONSTRAINT payment_order_total_check CHECK (total > 0),
    items integer NOT NULL,
    content bytea NOT NULL,
    digest text NOT NULL,
    made_at timestamptz NOT NULL,
    made_by text NOT NULL
);
COMMENT ON TABLE payment_order IS 'Příkaz k úhradě: a file of refunds for the bank, as it was made';

CREATE TABLE refund (
    id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT refund_pkey PRIMARY KEY,
    number text NOT NULL CONSTRAINT refund_number_key UNIQUE,
    seller bigint NOT NULL CONSTRAINT refund_seller_fkey REFERENCES party (id),
    payer bigint NOT NULL CONSTRAINT refund_payer_fkey REFERENCES party (id),
    account bigint CONSTRAINT refund_account_fkey REFERENCES contract_account (id),
    iban text NOT NULL,
    amount numeric(14, 2) NOT NULL CONSTRAINT refund_amount_check CHECK (amount > 0),
    currency text NOT NULL,
    variable_symbol text NOT NULL
        CONSTRAINT refund_variable_symbol_check CHECK (variable_symbol ~ '^[0-9]{1,10}$'),
    message text NOT NULL,
    state text NOT NULL
        CONSTRAINT refund_state_check CHECK (state IN ('ordered', 'sent', 'executed', 'returned', 'cancelled')),
    payment_order bigint CONSTRAINT refund_payment_order_fkey REFERENCES payment_order (id),
    payment bigint CONSTRAINT refund_payment_fkey REFERENCES payment (id) CONSTRAINT refund_payment_key UNIQUE,
    returned_by bigint CONSTRAINT refund_returned_by_fkey REFERENCES payment (id)
        CONSTRAINT refund_returned_by_key UNIQUE,
    allocated numeric(14, 2) NOT NULL DEFAULT 0,
    reason text NOT NULL,
    ordered_at timestamptz NOT NULL,
    ordered_by text NOT NULL,
    CONSTRAINT refund_allocated_check CHECK (allocated >= 0 AND allocated <= amount),
    CONSTRAINT refund_executed_check CHECK (state <> 'executed' OR payment IS NOT NULL),
    CONSTRAINT refund_returned_check CHECK (state <> 'returned' OR returned_by IS NOT NULL),
    CONSTRAINT refund_sent_check CHECK (state <> 'sent' OR payment_order IS NOT NULL)
);
CREATE INDEX refund_payer_ix ON refund (payer);
CREATE INDEX refund_payment_order_ix ON refund (payment_order);
CREATE INDEX refund_state_ix ON refund (state, id);
COMMENT ON TABLE refund IS 'Vratka: a credit that goes back to the account it came from';

CREATE TABLE allocation (
    id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT allocation_pkey PRIMARY KEY,
    payment bigint,
    credit bigint,
    receivable bigint,
    refund bigint CONSTRAINT allocation_refund_fkey REFERENCES refund (id),
    set_off bigint CONSTRAINT allocation_set_off_fkey REFERENCES set_off (id),
    amount numeric(14, 2) NOT NULL CONSTRAINT allocation_amount_check CHECK (amount > 0),
    rule text NOT NULL,
    made_on date NOT NULL,
    made_at timestamptz NOT NULL,
    made_by text NOT NULL,
    released_on date,
    released_at timestamptz,
    released_by text,
    reason text,
    CONSTRAINT allocation_source_check CHECK (num_nonnulls(payment, credit) = 1),
    CONSTRAINT allocation_target_check CHECK (num_nonnulls(receivable, refund) = 1),
    CONSTRAINT allocation_set_off_check CHECK (credit IS NULL OR refund IS NOT NULL OR set_off IS NOT NULL),
    CONSTRAINT allocation_released_check CHECK (num_nonnulls(released_on, released_at, released_by, reason) IN (0, 4))
);
CREATE INDEX allocation_payment_ix ON allocation (payment);
CREATE INDEX allocation_credit_ix ON allocation (credit) WHERE credit IS NOT NULL;
CREATE INDEX allocation_receivable_ix ON allocation (receivable);
CREATE INDEX allocation_refund_ix ON allocation (refund) WHERE refund IS NOT NULL;
CREATE INDEX allocation_set_off_ix ON allocation (set_off) WHERE set_off IS NOT NULL;
CREATE INDEX allocation_made_on_ix ON allocation (made_on);
COMMENT ON TABLE allocation IS
    'Přiřazení: a credit (payment or credit note) settles a debt (receivable or refund); undone, never deleted';

CREATE FUNCTION count_allocations() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    way integer := CASE TG_OP WHEN 'INSERT' THEN 1 ELSE -1 END;
    wrong bigint;
BEGIN
    IF TG_OP = 'INSERT' THEN
        SELECT coalesce(a.payment, a.credit) INTO wrong
          FROM counted a
          LEFT JOIN payment p ON p.id = a.payment
          LEFT JOIN receivable c ON c.id = a.credit
          LEFT JOIN receivable r ON r.id = a.receivable
          LEFT JOIN refund f ON f.id = a.refund
         WHERE a.released_at IS NOT NULL
            OR (p.id IS NULL) <> (a.payment IS NULL) OR (c.id IS NULL) <> (a.credit IS NULL)
            OR (r.id IS NULL) <> (a.receivable IS NULL)
            OR p.amount < 0 OR c.amount > 0 OR r.amount < 0
            OR coalesce(p.seller, c.seller) <> coalesce(r.seller, f.seller)
            OR coalesce(p.payer, c.payer) IS DISTINCT FROM coalesce(r.payer, f.payer)
            OR coalesce(p.currency, c.currency) <> coalesce(r.currency, f.currency)
         LIMIT 1;
        IF FOUND THEN
            RAISE EXCEPTION 'allocation of % joins what does not belong together', wrong
                USING ERRCODE = 'check_violation', CONSTRAINT = 'allocation_sides_check', TABLE = 'allocation';
        END IF;
    END IF;
    UPDATE payment p SET allocated = p.allocated + way * s.amount
      FROM (SELECT payment, sum(amount) AS amount FROM counted WHERE payment IS NOT NULL GROUP BY payment) s
     WHERE p.id = s.payment;
    UPDATE receivable r SET allocated = r.allocated + way * s.amount
      FROM (SELECT item, sum(amount) AS amount
              FROM (SELECT receivable AS item, amount FROM counted
                    UNION ALL SELECT credit, amount FROM counted) both_sides
             WHERE item IS NOT NULL GROUP BY item) s
     WHERE r.id = s.item;
    UPDATE refund f SET allocated = f.allocated + way * s.amount
      FROM (SELECT refund, sum(amount) AS amount FROM counted WHERE refund IS NOT NULL GROUP BY refund) s
     WHERE f.id = s.refund;
    RETURN NULL;
END $$;
COMMENT ON FUNCTION count_allocations IS 'Keeps the sums of both sides, whose checks refuse more than the amount';

CREATE FUNCTION release_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND OLD.released_at IS NULL AND NEW.released_at IS NOT NULL
       AND (NEW.payment, NEW.credit, NEW.receivable, NEW.refund, NEW.set_off, NEW.amount, NEW.made_at)
           IS NOT DISTINCT FROM
           (OLD.payment, OLD.credit, OLD.receivable, OLD.refund, OLD.set_off, OLD.amount, OLD.made_at)
    THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'allocation % is released once, and nothing else of it changes', OLD.id
        USING ERRCODE = 'check_violation', CONSTRAINT = 'allocation_release_check', TABLE = 'allocation';
END $$;

-- they stand for foreign keys of allocation, which cost more than all else of it; its trigger looks for all at once
CREATE TRIGGER payment_stays BEFORE DELETE ON payment FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER receivable_stays BEFORE DELETE ON receivable FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER allocation_made AFTER INSERT ON allocation REFERENCING NEW TABLE AS counted
    FOR EACH STATEMENT EXECUTE FUNCTION count_allocations();
CREATE TRIGGER allocation_released AFTER UPDATE ON allocation REFERENCING NEW TABLE AS counted
    FOR EACH STATEMENT EXECUTE FUNCTION count_allocations();
CREATE TRIGGER allocation_release_only BEFORE UPDATE OR DELETE ON allocation
    FOR EACH ROW EXECUTE FUNCTION release_only();

CREATE TABLE matching_rule (
    rule text CONSTRAINT matching_rule_pkey PRIMARY KEY
        CONSTRAINT matching_rule_rule_check CHECK (rule IN ('exact', 'symbol', 'account')),
    place integer NOT NULL CONSTRAINT matching_rule_place_key UNIQUE,
    active boolean NOT NULL
);
COMMENT ON TABLE matching_rule IS 'The order in which payments are matched by themselves';
INSERT INTO matching_rule (rule, place, active) VALUES ('exact', 1, true), ('symbol', 2, true), ('account', 3, true);
"""

REMINDERS = """
CREATE TABLE reminder_level (
    level integer CONSTRAINT reminder_level_pkey PRIMARY KEY CONSTRAINT reminder_level_level_check CHECK (level > 0),
    days_after_due integer NOT NULL CONSTRAINT reminder_level_days_after_due_check CHECK (days_after_due >= 0),
    fee numeric(14, 2) NOT NULL CONSTRAINT reminder_level_fee_check CHECK (fee >= 0),
    penalty_daily_percent numeric(8, 4)
        CONSTRAINT reminder_level_penalty_daily_percent_check CHECK (penalty_daily_percent > 0),
    pay_within_days integer NOT NULL CONSTRAINT reminder_level_pay_within_days_check CHECK (pay_within_days >= 0),
    wording text NOT NULL
);
COMMENT ON TABLE reminder_level IS 'Stupně upomínek; those that come with the system are assumed';
INSERT INTO reminder_level (level, days_after_due, fee, pay_within_days, wording) VALUES
    (1, 7, 0, 10, 'Dovolujeme si Vás upozornit, že k dnešnímu dni neevidujeme úhradu níže uvedených dokladů.'),
    (2, 21, 50, 10, 'Přes předchozí upomínku neevidujeme úhradu níže uvedených dokladů. Vyzýváme Vás k zaplacení.'),
    (3, 35, 100, 10, 'Naposledy Vás vyzýváme k úhradě níže uvedených dokladů před podniknutím dalších kroků.');

CREATE TABLE reminder (
    id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT reminder_pkey PRIMARY KEY,
    number text NOT NULL CONSTRAINT reminder_number_key UNIQUE,
    seller bigint NOT NULL CONSTRAINT reminder_seller_fkey REFERENCES party (id),
    payer bigint NOT NULL CONSTRAINT reminder_payer_fkey REFERENCES party (id),
    account bigint CONSTRAINT reminder_account_fkey REFERENCES contract_account (id),
    level integer NOT NULL,
    made_on date NOT NULL,
    pay_by date NOT NULL,
    amount numeric(14, 2) NOT NULL CONSTRAINT reminder_amount_check CHECK (amount > 0),
    fee bigint CONSTRAINT reminder_fee_fkey REFERENCES receivable (id),
    penalty bigint CONSTRAINT reminder_penalty_fkey REFERENCES receivable (id),
    content bytea NOT NULL,
    digest text NOT NULL,
    made_at timestamptz NOT NULL,
    made_by text NOT NULL
);
CREATE INDEX reminder_payer_ix ON reminder (payer);
COMMENT ON TABLE reminder IS 'Upomínka: a letter to one payer about items of one contract account that are past due';

CREATE TABLE reminder_item (
    reminder bigint NOT NULL CONSTRAINT reminder_item_reminder_fkey REFERENCES reminder (id),
    receivable bigint NOT NULL CONSTRAINT reminder_item_receivable_fkey REFERENCES receivable (id),
    level integer NOT NULL,
    rest numeric(14, 2) NOT NULL CONSTRAINT reminder_item_rest_check CHECK (rest > 0),
    days integer NOT NULL,
    CONSTRAINT reminder_item_pkey PRIMARY KEY (reminder, receivable)
);
CREATE INDEX reminder_item_receivable_ix ON reminder_item (receivable, level);
COMMENT ON TABLE reminder_item IS 'What a reminder asks for, as it was then';
"""

JOURNAL = """
CREATE TABLE journal_export (
    id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT journal_export_pkey PRIMARY KEY,
    seller bigint NOT NULL CONSTRAINT journal_export_seller_fkey REFERENCES party (id),
    period daterange NOT NULL CONSTRAINT journal_export_period_check
        CHECK (NOT isempty(period) AND NOT lower_inf(period) AND NOT upper_inf(period)),
    entries integer NOT NULL,
    debit numeric(16, 2) NOT NULL,
    credit numeric(16, 2) NOT NULL,
    made_at timestamptz NOT NULL,
    made_by text NOT NULL,
    CONSTRAINT journal_export_balance_check CHECK (debit = credit),
    CONSTRAINT journal_export_seller_period_excl EXCLUDE USING gist (seller WITH =, period WITH &&)
);
COMMENT ON TABLE journal_export IS 'Export do účetnictví: a period is handed over once; its files stay';

CREATE TABLE journal_file (
    export bigint NOT NULL CONSTRAINT journal_file_export_fkey REFERENCES journal_export (id),
    form text NOT NULL CONSTRAINT journal_file_form_check CHECK (form IN ('csv', 'pohoda')),
    content bytea NOT NULL,
    digest text NOT NULL,
    CONSTRAINT journal_file_pkey PRIMARY KEY (export, form)
);
COMMENT ON TABLE journal_file IS 'The files of an export, never made again';

CREATE TABLE journal_mark (
    kind text NOT NULL,
    item bigint NOT NULL,
    export bigint NOT NULL CONSTRAINT journal_mark_export_fkey REFERENCES journal_export (id),
    CONSTRAINT journal_mark_pkey PRIMARY KEY (kind, item)
);
CREATE INDEX journal_mark_export_ix ON journal_mark (export);
COMMENT ON TABLE journal_mark IS 'What was handed to the accounting, once';
"""

BACK = """
DROP TABLE journal_mark, journal_file, journal_export, reminder_item, reminder, reminder_level, matching_rule,
    allocation, refund, payment_order, set_off, payment, bank_statement, bank_file;
DROP FUNCTION count_allocations, release_only;
DROP TABLE receivable;
"""


def upgrade() -> None:
    for statement in (RECEIVABLES, STATEMENTS, SETTLING, REMINDERS, JOURNAL):
        op.execute(statement)


def downgrade() -> None:
    op.execute(BACK)
