"""network: verification of meters, reading rounds, periodic activities, service cases, work orders."""

from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

VERIFICATION = """
CREATE TABLE verification_period (
    id integer GENERATED ALWAYS AS IDENTITY CONSTRAINT verification_period_pkey PRIMARY KEY,
    kind text NOT NULL,
    name text NOT NULL,
    years smallint CONSTRAINT verification_period_years_check CHECK (years > 0),
    extension_years smallint CONSTRAINT verification_period_extension_check CHECK (extension_years > 0),
    to_year_end boolean NOT NULL,
    source text NOT NULL,
    mark text NOT NULL CONSTRAINT verification_period_mark_check
        CHECK (mark IN ('documented', 'inferred', 'assumed')),
    installed_by text NOT NULL,
    since date NOT NULL,
    valid daterange NOT NULL CONSTRAINT verification_period_valid_check CHECK (NOT isempty(valid)),
    CONSTRAINT verification_period_kind_installed_by_key UNIQUE (kind, installed_by),
    CONSTRAINT verification_period_kind_valid_excl EXCLUDE USING gist (kind WITH =, valid WITH &&)
);
COMMENT ON TABLE verification_period IS
    'Doba platnosti ověření by kind of instrument: law as data; years NULL: without limit';

CREATE TABLE sampling_group (
    id integer GENERATED ALWAYS AS IDENTITY CONSTRAINT sampling_group_pkey PRIMARY KEY,
    name text NOT NULL CONSTRAINT sampling_group_name_key UNIQUE,
    kind text NOT NULL,
    sample_size integer NOT NULL CONSTRAINT sampling_group_sample_size_check CHECK (sample_size > 0),
    tested_on date,
    passed boolean,
    extended_until date,
    CONSTRAINT sampling_group_result_check CHECK (
        (tested_on IS NULL) = (passed IS NULL) AND (extended_until IS NOT NULL) = coalesce(passed, false))
);
COMMENT ON TABLE sampling_group IS
    'Výběrová skupina: meters of one kind whose validity a test of drawn samples extends for all';

CREATE TABLE meter_verification (
    id integer GENERATED ALWAYS AS IDENTITY CONSTRAINT meter_verification_pkey PRIMARY KEY,
    meter text NOT NULL CONSTRAINT meter_verification_meter_fkey REFERENCES meter (id),
    kind text NOT NULL,
    verified_on date NOT NULL,
    until date,
    certificate text NOT NULL DEFAULT '',
    sampling_group integer CONSTRAINT meter_verification_sampling_group_fkey REFERENCES sampling_group (id),
    drawn boolean NOT NULL DEFAULT false,
    entered_at timestamptz NOT NULL,
    entered_by text NOT NULL,
    CONSTRAINT meter_verification_meter_verified_on_key UNIQUE (meter, verified_on),
    CONSTRAINT meter_verification_until_check CHECK (until >= verified_on),
    CONSTRAINT meter_verification_drawn_check CHECK (NOT drawn OR sampling_group IS NOT NULL)
);
CREATE INDEX meter_verification_sampling_group_ix ON meter_verification (sampling_group);
COMMENT ON TABLE meter_verification IS
    'Ověření (cejchování) of a meter; until: the last day that it holds, NULL: always';
"""

ROUNDS = """
CREATE TABLE reading_group (
    id integer GENERATED ALWAYS AS IDENTITY CONSTRAINT reading_group_pkey PRIMARY KEY,
    name text NOT NULL CONSTRAINT reading_group_name_key UNIQUE
);
COMMENT ON TABLE reading_group IS 'Odečtová skupina: measuring points that are read on one round';

CREATE TABLE reading_group_member (
    id integer GENERATED ALWAYS AS IDENTITY CONSTRAINT reading_group_member_pkey PRIMARY KEY,
    reading_group integer NOT NULL CONSTRAINT reading_group_member_reading_group_fkey REFERENCES reading_group (id),
    measuring_point integer NOT NULL
        CONSTRAINT reading_group_member_measuring_point_fkey REFERENCES measuring_point (id),
    route_order integer NOT NULL CONSTRAINT reading_group_member_route_order_check CHECK (route_order >= 0),
    valid daterange NOT NULL CONSTRAINT reading_group_member_valid_check CHECK (NOT isempty(valid)),
    CONSTRAINT reading_group_member_measuring_point_valid_excl
        EXCLUDE USING gist (measuring_point WITH =, valid WITH &&)
);
CREATE INDEX reading_group_member_reading_group_ix ON reading_group_member (reading_group);
COMMENT ON TABLE reading_group_member IS
    'A measuring point in a reading group, one group at a time, and its place on the way';

CREATE TABLE activity (
    id integer GENERATED ALWAYS AS IDENTITY CONSTRAINT activity_pkey PRIMARY KEY,
    name text NOT NULL CONSTRAINT activity_name_key UNIQUE,
    kind text NOT NULL CONSTRAINT activity_kind_check
        CHECK (kind IN ('verification', 'sampling', 'reading', 'inspection', 'exchange')),
    reading_group integer CONSTRAINT activity_reading_group_fkey REFERENCES reading_group (id),
    element integer CONSTRAINT activity_element_fkey REFERENCES network_element (id),
    every_months smallint CONSTRAINT activity_every_months_check CHECK (every_months > 0),
    next_due date,
    lead_days smallint NOT NULL CONSTRAINT activity_lead_days_check CHECK (lead_days BETWEEN 0 AND 1100),
    instructions text NOT NULL DEFAULT '',
    active boolean NOT NULL DEFAULT true,
    CONSTRAINT activity_subject_check CHECK (
        (kind = 'reading') = (reading_group IS NOT NULL) AND (element IS NULL OR kind = 'inspection')),
    CONSTRAINT activity_round_check CHECK (
        (kind IN ('reading', 'inspection')) = (every_months IS NOT NULL)
        AND (every_months IS NULL) = (next_due IS NULL))
);
COMMENT ON TABLE activity IS
    'Pravidelná aktivita: every so many months, or (verification, sampling, exchange) by expiry of each meter';
"""

CASES = """
CREATE TABLE service_rule (
    kind text NOT NULL CONSTRAINT service_rule_pkey PRIMARY KEY,
    name text NOT NULL,
    parameters jsonb NOT NULL CONSTRAINT service_rule_parameters_check CHECK (jsonb_typeof(parameters) = 'object'),
    severity smallint NOT NULL CONSTRAINT service_rule_severity_check CHECK (severity BETWEEN 1 AND 3),
    order_kind text NOT NULL,
    due_days smallint NOT NULL CONSTRAINT service_rule_due_days_check CHECK (due_days >= 0),
    active boolean NOT NULL,
    mark text NOT NULL
);
COMMENT ON TABLE service_rule IS 'When a service case is opened, and which work it proposes: thresholds as data';
INSERT INTO service_rule (kind, name, parameters, severity, order_kind, due_days, active, mark) VALUES
    ('lost_meter', 'Měřidlo mlčí', '{"hours": 26}', 2, 'repair', 5, true, 'assumed'),
    ('lost_concentrator', 'Koncentrátor mlčí', '{"hours": 2}', 3, 'repair', 1, true, 'assumed'),
    ('meter_event', 'Událost měřidla', '{"events": ["meter-mismatch"], "logs": ["0.0.99.98.1.255"], "days": 30}',
     3, 'inspection', 3, true, 'assumed'),
    ('finding', 'Nález validace', '{"severity": 3, "days": 3}', 2, 'inspection', 10, true, 'assumed'),
    ('expiry', 'Končí platnost ověření', '{"days": 180}', 1, 'exchange', 150, true, 'assumed');

CREATE TABLE service_case (
    id integer GENERATED ALWAYS AS IDENTITY CONSTRAINT service_case_pkey PRIMARY KEY,
    kind text NOT NULL CONSTRAINT service_case_kind_fkey REFERENCES service_rule (kind),
    cause text NOT NULL,
    state text NOT NULL CONSTRAINT service_case_state_check CHECK (state IN ('open', 'ordered', 'closed')),
    severity smallint NOT NULL CONSTRAINT service_case_severity_check CHECK (severity BETWEEN 1 AND 3),
    meter text CONSTRAINT service_case_meter_fkey REFERENCES meter (id),
    concentrator text CONSTRAINT service_case_concentrator_fkey REFERENCES concentrator (id),
    measuring_point integer CONSTRAINT service_case_measuring_point_fkey REFERENCES measuring_point (id),
    since timestamptz NOT NULL,
    opened_at timestamptz NOT NULL,
    seen_at timestamptz NOT NULL,
    evidence jsonb NOT NULL,
    closed_at timestamptz,
    closed_by text,
    reason text,
    CONSTRAINT service_case_subject_check CHECK (num_nonnulls(meter, concentrator) >= 1),
    CONSTRAINT service_case_closed_check CHECK (
        (state = 'closed') = (closed_at IS NOT NULL) AND (closed_at IS NULL) = (closed_by IS NULL)
        AND (closed_at IS NULL) = (reason IS NULL))
);
CREATE UNIQUE INDEX service_case_cause_key ON service_case (cause) WHERE state <> 'closed';
CREATE INDEX service_case_meter_ix ON service_case (meter);
CREATE INDEX service_case_state_ix ON service_case (state, opened_at);
COMMENT ON TABLE service_case IS 'Servisní případ: one open case per cause, closed when the cause is gone';
"""

ORDERS = """
CREATE TABLE work_order (
    id integer GENERATED ALWAYS AS IDENTITY CONSTRAINT work_order_pkey PRIMARY KEY,
    number text NOT NULL CONSTRAINT work_order_number_key UNIQUE,
    kind text NOT NULL CONSTRAINT work_order_kind_check
        CHECK (kind IN ('verification', 'sampling', 'reading', 'inspection', 'exchange', 'mounting', 'removal',
                        'repair')),
    state text NOT NULL CONSTRAINT work_order_state_check
        CHECK (state IN ('proposed', 'planned', 'assigned', 'under_way', 'done', 'failed', 'cancelled')),
    title text NOT NULL,
    instructions text NOT NULL DEFAULT '',
    measuring_point integer CONSTRAINT work_order_measuring_point_fkey REFERENCES measuring_point (id),
    meter text CONSTRAINT work_order_meter_fkey REFERENCES meter (id),
    concentrator text CONSTRAINT work_order_concentrator_fkey REFERENCES concentrator (id),
    element integer CONSTRAINT work_order_element_fkey REFERENCES network_element (id),
    service_case integer CONSTRAINT work_order_service_case_fkey REFERENCES service_case (id),
    activity integer CONSTRAINT work_order_activity_fkey REFERENCES activity (id),
    activity_due date,
    due date NOT NULL,
    planned_on date,
    assignee text,
    route_order integer NOT NULL DEFAULT 0,
    result text,
    finished_at timestamptz,
    finished_by text,
    made_at timestamptz NOT NULL,
    made_by text NOT NULL,
    CONSTRAINT work_order_assigned_check CHECK (
        state NOT IN ('assigned', 'under_way') OR (assignee IS NOT NULL AND planned_on IS NOT NULL)),
    CONSTRAINT work_order_finished_check CHECK (
        (state IN ('done', 'failed', 'cancelled')) = (finished_at IS NOT NULL)
        AND (finished_at IS NULL) = (finished_by IS NULL)
        AND (state NOT IN ('done', 'failed') OR result IS NOT NULL)),
    CONSTRAINT work_order_activity_check CHECK ((activity IS NULL) = (activity_due IS NULL))
);
CREATE UNIQUE INDEX work_order_activity_key ON work_order
    (activity, activity_due, coalesce(meter, ''), coalesce(measuring_point, 0), coalesce(element, 0))
    WHERE activity IS NOT NULL AND state <> 'cancelled';
CREATE UNIQUE INDEX work_order_service_case_key ON work_order (service_case)
    WHERE service_case IS NOT NULL AND state NOT IN ('done', 'failed', 'cancelled');
CREATE INDEX work_order_state_ix ON work_order (state, due);
CREATE INDEX work_order_assignee_ix ON work_order (assignee, planned_on, route_order);
COMMENT ON TABLE work_order IS 'Pracovní příkaz: work at a place, its assignment, place on the route, and result';

CREATE TABLE work_order_step (
    id integer GENERATED ALWAYS AS IDENTITY CONSTRAINT work_order_step_pkey PRIMARY KEY,
    work_order integer NOT NULL CONSTRAINT work_order_step_work_order_fkey REFERENCES work_order (id),
    state text NOT NULL,
    at timestamptz NOT NULL,
    person text NOT NULL,
    note text NOT NULL
);
CREATE INDEX work_order_step_work_order_ix ON work_order_step (work_order);
CREATE TRIGGER work_order_step_append_only BEFORE UPDATE OR DELETE ON work_order_step
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
COMMENT ON TABLE work_order_step IS 'Append-only: every state of a work order, when and by whom';

CREATE TABLE work_order_document (
    work_order integer NOT NULL CONSTRAINT work_order_document_work_order_fkey REFERENCES work_order (id),
    document integer NOT NULL CONSTRAINT work_order_document_document_fkey REFERENCES document (id),
    role text NOT NULL CONSTRAINT work_order_document_role_check
        CHECK (role IN ('photo', 'signature', 'protocol', 'other')),
    CONSTRAINT work_order_document_pkey PRIMARY KEY (work_order, document)
);
COMMENT ON TABLE work_order_document IS 'Photos, signatures and protocols of a work order';

CREATE TABLE work_order_number (
    year integer NOT NULL CONSTRAINT work_order_number_pkey PRIMARY KEY,
    last integer NOT NULL
);
COMMENT ON TABLE work_order_number IS 'The last number given to a work order of a year';

CREATE TABLE work_order_state (
    id integer GENERATED ALWAYS AS IDENTITY CONSTRAINT work_order_state_pkey PRIMARY KEY,
    work_order integer NOT NULL CONSTRAINT work_order_state_work_order_fkey REFERENCES work_order (id),
    meter_state bigint NOT NULL CONSTRAINT work_order_state_meter_state_fkey REFERENCES meter_state (id)
        CONSTRAINT work_order_state_meter_state_key UNIQUE
);
CREATE INDEX work_order_state_work_order_ix ON work_order_state (work_order);
COMMENT ON TABLE work_order_state IS 'Register states that a technician took on a work order';

ALTER TABLE meter_act ADD COLUMN work_order integer
    CONSTRAINT meter_act_work_order_fkey REFERENCES work_order (id) CONSTRAINT meter_act_work_order_key UNIQUE;
COMMENT ON COLUMN meter_act.work_order IS 'which asked for it, and ended';
"""

TECHNICIAN = """
CREATE TABLE page_session (
    digest bytea NOT NULL CONSTRAINT page_session_pkey PRIMARY KEY,
    person text NOT NULL,
    token_digest bytea NOT NULL,
    form_key text NOT NULL,
    began_at timestamptz NOT NULL,
    ends_at timestamptz NOT NULL
);
COMMENT ON TABLE page_session IS 'Who is signed in on the pages: digest of the cookie, until when';
"""


def upgrade() -> None:
    """Create the tables; the rules of service cases with their first thresholds."""
    op.execute(VERIFICATION)
    op.execute(ROUNDS)
    op.execute(CASES)
    op.execute(ORDERS)
    op.execute(TECHNICIAN)


def downgrade() -> None:
    """Remove them."""
    op.execute("DROP TABLE page_session")
    op.execute("ALTER TABLE meter_act DROP COLUMN work_order")
    op.execute("DROP TABLE work_order_state, work_order_number, work_order_document, work_order_step, work_order")
    op.execute("DROP TABLE service_case, service_rule")
    op.execute("DROP TABLE activity, reading_group_member, reading_group")
    op.execute("DROP TABLE meter_verification, sampling_group, verification_period")
