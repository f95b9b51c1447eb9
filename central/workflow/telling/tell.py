"""The pass that reconciles what should have been told with what was, and makes the messages that are missing.

It reads the database and nothing else, so a cause cannot be lost by an act that forgot to say so; repeated, it changes
nothing. Everything happens in the caller's transaction: a pass that dies leaves no trace.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from functools import partial
from typing import Final

import msgspec
from sqlalchemy import Connection, RowMapping, text

from central.market.cdsdata import INTERVAL_DATA
from central.market.contents import write_any
from central.market.duties import settle_answered, settle_left
from central.market.duties.keep import (
    Due,
    adopt,
    find_open,
    mark_told,
    oldest_open,
    reconcile,
    reopen_elsewhere,
    set_looked,
    set_problems,
    withdraw_waived,
)
from central.market.duties.rules import look_back_months, open_months
from central.market.envelope import Envelope, Participant, make_message_id
from central.market.errors import OutboundError
from central.market.format_package import FormatPackage, package_at
from central.market.gas.edigas import with_version
from central.market.interval_writer import IntervalWriter, interval_writer
from central.market.messages import Draft, Subject, create_all, lock_generation, move_all
from central.market.states import Act, State
from central.platform import audit
from central.platform.database import repeated_on_deadlock
from central.platform.errors import Refused
from central.platform.identity import Person
from central.registry.capacity_rules import months_later
from central.workflow.report_month import DutyOf, report_period
from central.workflow.telling import advances, bills, days, gas_bills, gas_data, gas_registry, registry, reports, states
from central.workflow.telling.far import window_of_month
from central.workflow.telling.model import Tellable, Window
from shared.clock import Clock
from shared.metering_day import PRAGUE

_REPLACEABLE: Final = (State.GENERATED, State.SAVED, State.TIMED_OUT, State.REJECTED)
_AT_ONCE: Final = 500
"""Messages that go into the outbox together."""
_Source = tuple[Sequence[str], Callable[[Connection, Window], Sequence[Tellable]]]
_ACTS: Final[tuple[_Source, ...]] = ((gas_registry.WHYS, gas_registry.find),)
"""Kinds of acts beside those at electricity points, and what finds the duties for them with their records."""
_DOCUMENTS: Final[tuple[_Source, ...]] = (
    (bills.WHYS, bills.find),
    (gas_bills.WHYS, gas_bills.find),
    (advances.WHYS, advances.find),
    (states.WHYS, states.find),
)
"""The same of what is looked for by the day of its issue: its duty may be of an earlier month."""
_REPORTS: Final[tuple[_Source, ...]] = ((reports.WHYS, reports.find),)
_LAST: Final = text("""
    -- the message of the highest version of what each duty is about
    SELECT DISTINCT ON (d.id) d.id AS duty, m.id, m.version, m.state
      FROM market_duty d JOIN market_message m
        ON (m.message_code, m.subject_kind, m.subject, m.period) = (d.message_code, d.subject_kind, d.subject, d.period)
     WHERE d.id = ANY (:duties) AND m.direction = 'out'
     ORDER BY d.id, m.version DESC
""")


@dataclass(slots=True)
class Told:
    """What a pass did: duties that arose, got another cause, lost theirs; messages made; duties without a message."""

    arose: int = 0
    changed: int = 0
    waived: int = 0
    made: int = 0
    problems: dict[int, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Pass:
    connection: Connection
    package: FormatPackage
    at: datetime
    by: Person | str
    sender: str | None
    window: Window
    again: bool
    is_production: Callable[[str], bool]
    told: Told

    @property
    def person(self) -> str:
        return self.by.name if isinstance(self.by, Person) else self.by

    def keep(
        self, dues: Sequence[Due], whys: Sequence[str], far: Window | None = None, *, stands: bool = False
    ) -> Sequence[RowMapping]:
        """Make the duties those that are due, in the pass's window or a `far` one; the open ones."""
        window = far or self.window
        first, last = window.first_month, window.last_month
        kept = reconcile(self.connection, dues, whys, first, last, self.at, stands=stands)
        self.told.arose += kept.arose
        self.told.changed += kept.changed
        self.told.waived += kept.waived
        codes = {due.code for due in dues if self.is_production(due.code)}
        self.told.changed += reopen_elsewhere(self.connection, codes, self.at)
        return find_open(self.connection, again=self.again)


def _still_open_since(at: datetime) -> date:
    """The first month of which every pass tries to tell what is open."""
    return months_later(at.astimezone(PRAGUE).date().replace(day=1), -open_months())


def window_of(since: date | None, at: datetime, oldest_open: date | None = None) -> Window:
    """The days that a pass looks at: the last months, and as far back as a duty is still open.

    Refused where it was never said from when on we tell.
    """
    if since is None:
        raise Refused(
            "telling_is_off",
            "Nothing is told by itself yet: set ROZVODNA_MARKET_SINCE to the first day whose acts are to be told.",
        )
    today = at.astimezone(PRAGUE).date()
    first = months_later(today.replace(day=1), -look_back_months())
    if oldest_open is not None:
        first = min(first, max(oldest_open, _still_open_since(at)))
    return Window(max(since, first), today)


def tell(
    connection: Connection,
    since: date | None,
    clock: Clock,
    by: Person | str,
    *,
    sender: str | None = None,
    again: bool = False,
    bulk_from: int | None = None,
    is_production: Callable[[str], bool] = lambda code: False,
    far: Sequence[date] = (),
) -> Told:
    """Bring duties and messages to what registry, closed days and bills say, in the caller's transaction.

    Acts from the day `since` on are told, those of the last months and of the months `far` (their first days); of the
    latter not the interval data, and what was told of them stands unless it did not happen. `sender` is the EAN that we
    tell under, by default the one of each point's operator. `again` makes a new version of what was rejected, although
    it is the same. So many registrations of a network on one day as `bulk_from` are told together (None: never). What a
    sandbox was told is told anew where the messages of its code go to the market operator itself now (`is_production`).
    A pass that met an answer in the database, each waiting for what the other has locked, begins anew.
    """
    once = partial(
        _tell, connection, since, clock, by,
        sender=sender, again=again, bulk_from=bulk_from, is_production=is_production, far=far,
    )  # fmt: skip
    return repeated_on_deadlock(connection, once)


def _tell(
    connection: Connection,
    since: date | None,
    clock: Clock,
    by: Person | str,
    *,
    sender: str | None,
    again: bool,
    bulk_from: int | None,
    is_production: Callable[[str], bool],
    far: Sequence[date],
) -> Told:
    at = clock.now()
    lock_generation(connection)
    window = replace(window_of(since, at, oldest_open(connection, _still_open_since(at))), is_production=is_production)
    work = _Pass(connection, package_at(at), at, by, sender, window, again, is_production, Told())
    settle_left(connection)
    reports.settle_sent(connection, at, work.person)
    acts: tuple[_Source, ...] = ((registry.WHYS, partial(registry.find, bulk_from=bulk_from)), *_ACTS)
    for whys, find in (*acts, *_DOCUMENTS, *_REPORTS):
        tellables = find(connection, window)
        _write(work, tellables, work.keep([each.due for each in tellables], whys))
    assert since is not None, "a window has a first day"
    for month in far:
        _tell_far(work, acts, window_of_month(window, since, month))
    _report(work, work.keep(days.find(connection, window), days.WHYS))
    gas = gas_data.find(connection, work.package, window, at)
    rows = work.keep([each.due for each in gas], gas_data.WHYS)
    _write(work, gas_data.with_records(connection, work.package, gas, rows), rows)
    withdraw_waived(connection, at, work.person)
    set_problems(connection, work.told.problems)
    set_looked(connection, window.first_month, window.last_month, at)
    told = work.told
    if told.arose or told.changed or told.waived or told.made:
        counts = {"arose": told.arose, "changed": told.changed, "waived": told.waived, "made": told.made}
        audit.record(connection, by, "market.tell", f"since/{window.first}", counts, at)
    return told


def _tell_far(work: _Pass, acts: Sequence[_Source], window: Window | None) -> None:
    """What is missing of an earlier month; a document of its days may be of a month before, so none is waived."""
    if window is None:
        return
    for whys, find in acts:
        tellables = find(work.connection, window)
        _write(work, tellables, work.keep([each.due for each in tellables], whys, window, stands=True))
    for _, find in _DOCUMENTS:
        found = find(work.connection, window)
        # an advance is cancelled long after it was sent, and told once more then; nothing else is changed
        for is_taken_back in (False, True):
            some = [each for each in found if advances.is_taken_back(each) is is_taken_back]
            _write(work, some, work.keep([each.due for each in some], (), window, stands=not is_taken_back))


def _write(work: _Pass, tellables: Sequence[Tellable], rows: Sequence[RowMapping]) -> None:
    """A message for every open duty that has a record; what has none, or is not right, is a problem of its duty."""
    by_key = {_key_of(each.due): each for each in tellables}
    asked = {"duties": [row["id"] for row in rows]}
    last = {row["duty"]: row for row in work.connection.execute(_LAST, asked).mappings()}
    made: list[tuple[Draft, RowMapping | None]] = []
    for row in rows:
        tellable = by_key[(row["message_code"], row["subject"], row["first_day"], row["end_day"], row["why"])]
        sender = work.sender or tellable.sender
        if tellable.payload is None or sender is None:
            problem = tellable.problem or "The operator has no EAN: fill it in at its party."
            work.told.problems[row["id"]] = problem
            continue
        before = last.get(row["id"])
        try:
            draft = _draft(work, row, tellable.payload, sender, 1 if before is None else before["version"] + 1)
        except OutboundError as error:
            work.told.problems[row["id"]] = error.message
            continue
        made.append((draft, before))
    for first in range(0, len(made), _AT_ONCE):
        _save(work, made[first : first + _AT_ONCE])


def _save(work: _Pass, made: Sequence[tuple[Draft, RowMapping | None]]) -> None:
    drafts = [draft for draft, _ in made]
    numbers = create_all(work.connection, drafts, work.at, work.person)
    replaced = {
        before["id"]: f"message {number} takes its place"
        for number, (_, before) in zip(numbers, made, strict=True)
        if before is not None and before["state"] in _REPLACEABLE
    }
    move_all(work.connection, replaced, Act.REPLACE, work.at, work.person)
    mark_told(work.connection, [draft.duty for draft in drafts if draft.duty is not None])
    work.told.made += len(drafts)


def _draft(work: _Pass, row: RowMapping, payload: msgspec.Struct, sender: str, version: int) -> Draft:
    package, code = work.package, row["message_code"]
    envelope = Envelope(
        id=make_message_id(code, work.at),
        code=code,
        at=work.at.replace(microsecond=0),
        sender=Participant(sender, package.envelope.coding_scheme),
        receiver=Participant(package.envelope.market_operator, package.envelope.coding_scheme),
        answer_required=True,
        language=package.envelope.language,
        dtd_version=package.envelope.dtd_version,
        dtd_release=package.envelope.dtd_release,
    )
    return Draft(
        message_id=envelope.id,
        code=code,
        package=package.name,
        package_digest=package.digest,
        sender=sender,
        receiver=package.envelope.market_operator,
        subject=Subject(row["subject_kind"], row["subject"], row["supply_point"]),
        first_day=row["first_day"],
        end_day=row["end_day"],
        version=version,
        xml=write_any(package, envelope, with_version(payload, version)),
        basis={"cause": row["cause"]},
        duty=row["id"],
        deadline=row["deadline"],
    )


def _key_of(due: Due) -> tuple[str, str, date, date | None, str]:
    return due.code, due.subject.code, due.first_day, due.end_day, due.why


def _report(work: _Pass, rows: Sequence[RowMapping]) -> None:
    """Interval data for the open duties, period by period."""
    periods: dict[tuple[date, date], dict[str, DutyOf]] = defaultdict(dict)
    for row in rows:
        periods[row["first_day"], row["end_day"]][row["subject"]] = DutyOf(row["id"], row["deadline"])
    with interval_writer(len(rows)) as writer:
        for (first_day, end_day), duties in sorted(periods.items()):
            _report_period(work, writer, first_day, end_day, duties)


def _report_period(
    work: _Pass, writer: IntervalWriter, first_day: date, end_day: date, duties: Mapping[str, DutyOf]
) -> None:
    connection = work.connection
    report = report_period(
        connection, writer, first_day, end_day, work.at, work.by, sender=work.sender, again=work.again,
        to_production=work.is_production(INTERVAL_DATA), duties=duties,
    )  # fmt: skip
    mark_told(connection, [duties[made.ean].id for made in report.made])
    adopt(connection, {duties[ean].id: number for ean, number in report.standing.items()})
    settle_answered(connection, report.standing.values())
    work.told.made += len(report.made)
    work.told.problems.update({duties[each.ean].id: each.why for each in report.incomplete})
