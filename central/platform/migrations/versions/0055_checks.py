"""checks: findings as blocks, the newest result of each check on a basis, what calendar rows and objects show."""

import msgspec
import numpy as np
from alembic import op
from sqlalchemy import text

revision = "0055"
down_revision = "0054"
branch_labels = None
depends_on = None

NUMBERS = """
CREATE FUNCTION micro(value numeric) RETURNS bigint LANGUAGE sql IMMUTABLE PARALLEL SAFE RETURN
    CASE WHEN abs(value) < 9000000000000 AND trunc(value, 6) = value THEN (value * 1000000)::bigint END;
COMMENT ON FUNCTION micro(numeric) IS 'Whole millionths; NULL where the value has none, or is too large';
"""

DEFINITIONS = """
ALTER TABLE check_definition
    ADD COLUMN parameters jsonb NOT NULL DEFAULT '{}',
    ADD COLUMN slot smallint CONSTRAINT check_definition_slot_check CHECK (slot >= 0);
UPDATE check_definition d SET slot = o.place
  FROM (SELECT number, row_number() OVER (ORDER BY number) - 1 AS place FROM check_definition) o
 WHERE o.number = d.number;
ALTER TABLE check_definition
    ALTER COLUMN slot SET NOT NULL,
    ADD CONSTRAINT check_definition_slot_key UNIQUE (slot);
COMMENT ON COLUMN check_definition.slot IS 'Place of its results in basis_verdict.results';

ALTER TABLE check_run DROP CONSTRAINT check_run_kind_check;
ALTER TABLE check_run ADD CONSTRAINT check_run_kind_check
    CHECK (kind IN ('automatic', 'manual', 'invoicing', 'recheck'));
COMMENT ON TABLE check_run IS
    'One pass of the active checks over a set of bases; recheck: a look at cancelled errors, which stay';
"""

FINDINGS = """
CREATE TABLE check_part (
    run bigint NOT NULL CONSTRAINT check_part_run_fkey REFERENCES check_run (id),
    check_number integer NOT NULL
        CONSTRAINT check_part_check_number_fkey REFERENCES check_definition (number),
    bases integer NOT NULL,
    results jsonb NOT NULL,
    seconds real NOT NULL,
    output text NOT NULL CONSTRAINT check_part_output_check CHECK (output IN ('all', 'errors')),
    parameters jsonb NOT NULL,
    texts integer[] NOT NULL,
    failed text,
    CONSTRAINT check_part_pkey PRIMARY KEY (run, check_number)
);
COMMENT ON TABLE check_part IS 'What one check did in one run';
COMMENT ON COLUMN check_part.bases IS 'That it looked at';
COMMENT ON COLUMN check_part.output IS 'Output variant (varianta vypisování) in this run';
COMMENT ON COLUMN check_part.texts IS 'The check''s messages when it ran, of check_text';
COMMENT ON COLUMN check_part.failed IS 'Why it could not run';

CREATE TABLE check_text (
    id integer GENERATED ALWAYS AS IDENTITY CONSTRAINT check_text_pkey PRIMARY KEY,
    cs text NOT NULL,
    en text NOT NULL,
    CONSTRAINT check_text_cs_en_key UNIQUE (cs, en)
);
COMMENT ON TABLE check_text IS 'Messages that checks have ever used, with names of values in braces';

CREATE TABLE check_block (
    run bigint NOT NULL,
    check_number integer NOT NULL,
    part integer NOT NULL,
    about text NOT NULL
        CONSTRAINT check_block_about_check CHECK (about IN ('basis', 'calendar_row', 'supply_point')),
    statement_group text
        CONSTRAINT check_block_statement_group_check CHECK (statement_group IN ('regular', 'accrual', 'annual')),
    first bigint NOT NULL,
    last bigint NOT NULL,
    counts integer[] NOT NULL CONSTRAINT check_block_counts_check CHECK (cardinality(counts) = 6),
    packed bytea COMPRESSION lz4 NOT NULL,
    CONSTRAINT check_block_pkey PRIMARY KEY (run, check_number, part),
    CONSTRAINT check_block_run_check_number_fkey
        FOREIGN KEY (run, check_number) REFERENCES check_part (run, check_number),
    CONSTRAINT check_block_subjects_check CHECK (first <= last)
);
CREATE INDEX check_block_subjects_ix ON check_block USING gist (about, int8range(first, last, '[]'));
COMMENT ON TABLE check_block IS 'Findings of one check in one run as columns, by subject: central/checks/blocks.py';
COMMENT ON COLUMN check_block.counts IS 'Findings of each result, from none to error';
"""

VERDICTS = """
ALTER TABLE basis_verdict
    DROP COLUMN text_cs,
    DROP COLUMN text_en,
    DROP CONSTRAINT IF EXISTS basis_verdict_basis_fkey,
    DROP CONSTRAINT basis_verdict_run_fkey,
    ADD COLUMN results bytea;
COMMENT ON COLUMN basis_verdict.basis IS 'Of billing_basis, as just read there';
COMMENT ON COLUMN basis_verdict.run IS 'The last that changed it';
COMMENT ON COLUMN basis_verdict.results IS 'The newest result of each check, an octet by its slot';

CREATE TABLE row_finding (
    calendar_row bigint NOT NULL
        CONSTRAINT row_finding_calendar_row_fkey REFERENCES payment_calendar (id) ON DELETE CASCADE,
    check_number integer NOT NULL
        CONSTRAINT row_finding_check_number_fkey REFERENCES check_definition (number),
    statement_group text NOT NULL
        CONSTRAINT row_finding_statement_group_check CHECK (statement_group IN ('regular', 'accrual', 'annual')),
    run bigint NOT NULL CONSTRAINT row_finding_run_fkey REFERENCES check_run (id),
    result smallint NOT NULL CONSTRAINT row_finding_result_check CHECK (result BETWEEN 1 AND 5),
    CONSTRAINT row_finding_pkey PRIMARY KEY (calendar_row, check_number, statement_group)
);
COMMENT ON TABLE row_finding IS 'The newest result of a check about a row of the payment calendar without a basis';

CREATE TABLE row_verdict (
    calendar_row bigint CONSTRAINT row_verdict_pkey PRIMARY KEY
        CONSTRAINT row_verdict_calendar_row_fkey REFERENCES payment_calendar (id) ON DELETE CASCADE,
    regular smallint NOT NULL,
    accrual smallint NOT NULL,
    annual smallint NOT NULL,
    CONSTRAINT row_verdict_results_check
        CHECK (regular BETWEEN 0 AND 5 AND accrual BETWEEN 0 AND 5 AND annual BETWEEN 0 AND 5)
);
COMMENT ON TABLE row_verdict IS
    'What a row of the payment calendar shows: the worst over its bases of each group, whatever the EAN';

CREATE TABLE object_verdict (
    object text CONSTRAINT object_verdict_pkey PRIMARY KEY,
    month date NOT NULL,
    result smallint NOT NULL CONSTRAINT object_verdict_result_check CHECK (result BETWEEN 0 AND 5)
);
COMMENT ON TABLE object_verdict IS
    'Výsledek kontroly běžných podkladů: the worst over the regular bases of the EANs of an object';
COMMENT ON COLUMN object_verdict.month IS 'The latest period that was active for checks';
"""


def upgrade() -> None:
    """Create the tables and bring over what earlier runs found, with the texts that they gave."""
    op.execute(NUMBERS)
    op.execute(DEFINITIONS)
    op.execute(FINDINGS)
    op.execute(VERDICTS)
    _bring_over()
    op.execute("ALTER TABLE basis_verdict ALTER COLUMN results SET NOT NULL")
    op.execute("DROP TABLE check_result")


def _bring_over() -> None:
    """Every (run, check) becomes a part with a block; each text that was given becomes a message without values."""
    connection = op.get_bind()
    connection.execute(
        text("""
        INSERT INTO check_text (cs, en)
        SELECT DISTINCT replace(replace(text_cs, '{', '{{'), '}', '}}'), replace(replace(text_en, '{', '{{'), '}', '}}')
          FROM check_result
    """)
    )
    connection.execute(
        text("""
        UPDATE basis_verdict v
           SET results = (SELECT string_agg(decode('0' || coalesce(r.result, 0), 'hex'), '' ORDER BY d.slot)
                            FROM check_definition d
                            LEFT JOIN LATERAL (SELECT x.result FROM check_result x
                                                WHERE x.basis = v.basis AND x.check_number = d.number
                                                ORDER BY x.run DESC LIMIT 1) r ON true)
    """)
    )
    parts = connection.execute(text("SELECT DISTINCT run, check_number FROM check_result ORDER BY 1, 2")).all()
    for run, number in parts:
        rows = connection.execute(
            text("""
                SELECT r.basis, r.result, t.id AS said, r.logged
                  FROM check_result r
                  JOIN check_text t ON t.cs = replace(replace(r.text_cs, '{', '{{'), '}', '}}')
                                   AND t.en = replace(replace(r.text_en, '{', '{{'), '}', '}}')
                 WHERE r.run = :run AND r.check_number = :number
                 ORDER BY r.basis
            """),
            {"run": run, "number": number},
        ).all()
        texts = sorted({row.said for row in rows})
        place = {said: position for position, said in enumerate(texts)}
        counts = np.bincount([row.result for row in rows], minlength=6).tolist()
        keys = ("none", "info", "ok", "warning", "error_cancelled", "error")
        connection.execute(
            text("""
                INSERT INTO check_part (run, check_number, bases, results, seconds, output, parameters, texts)
                VALUES (:run, :number, :bases, CAST(:results AS jsonb), 0, :output, '{}', :texts)
            """),
            {
                "run": run,
                "number": number,
                "bases": len(rows),
                "results": msgspec.json.encode(dict(zip(keys[1:], counts[1:], strict=True))).decode(),
                "output": "all" if all(row.logged for row in rows) else "errors",
                "texts": texts,
            },
        )
        columns = ([row.basis for row in rows], [row.result for row in rows], [place[row.said] for row in rows])
        connection.execute(
            text("""
                INSERT INTO check_block (run, check_number, part, about, first, last, counts, packed)
                VALUES (:run, :number, 0, 'basis', :first, :last, :counts, :packed)
            """),
            {
                "run": run,
                "number": number,
                "first": rows[0].basis,
                "last": rows[-1].basis,
                "counts": counts,
                "packed": msgspec.msgpack.encode(
                    [*(["<i8", 0, np.array(column, "<i8").tobytes()] for column in columns), []]
                ),
            },
        )


def downgrade() -> None:
    """Back to a row for each result; texts of findings with values, and of rows and objects, are not kept."""
    op.execute("""
        CREATE TABLE check_result (
            run bigint NOT NULL CONSTRAINT check_result_run_fkey REFERENCES check_run (id),
            check_number integer NOT NULL
                CONSTRAINT check_result_check_number_fkey REFERENCES check_definition (number),
            basis bigint NOT NULL CONSTRAINT check_result_basis_fkey REFERENCES billing_basis (id),
            result smallint NOT NULL CONSTRAINT check_result_result_check CHECK (result BETWEEN 1 AND 5),
            text_cs text NOT NULL,
            text_en text NOT NULL,
            logged boolean NOT NULL,
            CONSTRAINT check_result_pkey PRIMARY KEY (run, check_number, basis)
        );
        CREATE INDEX check_result_basis_ix ON check_result (basis);
        COMMENT ON TABLE check_result IS
            'Výsledek kontroly: one check about one basis in one run; logged: shown in the process log';
        INSERT INTO check_result
        SELECT v.run, d.number, v.basis, get_byte(v.results, d.slot), '', '', true
          FROM basis_verdict v
          JOIN check_definition d ON d.slot < length(v.results) AND get_byte(v.results, d.slot) > 0;
        ALTER TABLE basis_verdict DROP COLUMN results, ADD COLUMN text_cs text NOT NULL DEFAULT '',
            ADD COLUMN text_en text NOT NULL DEFAULT '';
        ALTER TABLE basis_verdict ALTER COLUMN text_cs DROP DEFAULT, ALTER COLUMN text_en DROP DEFAULT,
            ADD CONSTRAINT basis_verdict_basis_fkey FOREIGN KEY (basis) REFERENCES billing_basis (id),
            ADD CONSTRAINT basis_verdict_run_fkey FOREIGN KEY (run) REFERENCES check_run (id);
        DROP TABLE object_verdict, row_verdict, row_finding, check_block, check_part, check_text;
        DELETE FROM check_run WHERE kind = 'recheck';
        ALTER TABLE check_run DROP CONSTRAINT check_run_kind_check;
        ALTER TABLE check_run ADD CONSTRAINT check_run_kind_check CHECK (kind IN ('automatic', 'manual', 'invoicing'));
        ALTER TABLE check_definition DROP COLUMN parameters, DROP COLUMN slot;
        DROP FUNCTION micro(numeric);
    """)
