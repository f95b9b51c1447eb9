-- Outbox of a concentrator, schema version 1. Epochs are unsigned 64 bit, stored as two's complement.

CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;

-- Blocks and records without a number yet. AUTOINCREMENT: ids must not start again after the table was emptied.
CREATE TABLE pending (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    lane INTEGER NOT NULL,               -- 0 live, 1 back-fill
    is_record INTEGER NOT NULL,
    device TEXT NOT NULL,
    register TEXT,
    day TEXT,                            -- metering day whose progress depends on this block
    body BLOB NOT NULL
);
CREATE INDEX pending_order ON pending (lane, id);

-- Highest number given in each epoch: numbers are never given twice, also when the batches are long gone.
CREATE TABLE epoch (epoch INTEGER PRIMARY KEY, last_seq INTEGER NOT NULL);

CREATE TABLE batch (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    epoch INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    state INTEGER NOT NULL,              -- 0 unacknowledged, 1 acknowledged, 2 offered again
    size INTEGER NOT NULL,
    acked_ms INTEGER,
    UNIQUE (epoch, seq)
);
CREATE INDEX batch_state ON batch (state, id);

-- Apart from batch, so that an acknowledgement does not write the body again.
CREATE TABLE batch_body (id INTEGER PRIMARY KEY REFERENCES batch (id), body BLOB NOT NULL);

CREATE TABLE progress_day (
    device TEXT NOT NULL,
    register TEXT NOT NULL,
    day TEXT NOT NULL,
    state TEXT NOT NULL,                 -- read, again
    PRIMARY KEY (device, register, day)
) WITHOUT ROWID;

-- Which days travelled in which batch: if central closes a number that nobody holds, just these are read again.
CREATE TABLE batch_day (
    epoch INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    device TEXT NOT NULL,
    register TEXT NOT NULL,
    day TEXT NOT NULL,
    PRIMARY KEY (epoch, seq, device, register, day)
) WITHOUT ROWID;

CREATE TABLE progress_sample (device TEXT PRIMARY KEY, handled_ms INTEGER NOT NULL, sampled_ms INTEGER) WITHOUT ROWID;

CREATE TABLE refused (
    epoch INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    place INTEGER NOT NULL,              -- index of the block in its batch
    reason TEXT NOT NULL,
    device TEXT,
    register TEXT,
    start_ms INTEGER,
    at_ms INTEGER NOT NULL,
    body BLOB,                           -- the block as stored in pending
    PRIMARY KEY (epoch, seq, place)
) WITHOUT ROWID;

-- Numbers that central closed and that were dealt with: it tells them with each welcome for days.
CREATE TABLE closed (
    epoch INTEGER NOT NULL,
    first INTEGER NOT NULL,
    last INTEGER NOT NULL,
    PRIMARY KEY (epoch, first)
) WITHOUT ROWID;
