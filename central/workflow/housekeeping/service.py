"""The housekeeping service: what is due once a day at the hour of the settings; service cases, legislative packages,
bank statements and what the market must be told every few minutes; by the injected clock."""

import signal
import threading
from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from functools import partial

import structlog
from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError

from central.invoicing.payments.pickup import BankPickup
from central.market.channels.open_channels import channel_settings, leads_to_production
from central.market.channels.watch import watch
from central.platform.clock import get_clock
from central.platform.database import make_engine, transaction
from central.platform.errors import DomainError
from central.platform.hooks import load_hooks
from central.platform.identity import SYSTEM
from central.platform.settings import Settings
from central.readings.sharing.allocated import compute, groups_on
from central.registry.capacity_rules import months_later
from central.workflow import corrections
from central.workflow.external import worker as external_worker
from central.workflow.housekeeping import keep
from central.workflow.housekeeping.edition import switch_on
from central.workflow.package_pickup import PackagePickup, check_addresses
from central.workflow.service_cases import look
from central.workflow.telling.far import in_turn
from central.workflow.telling.tell import tell
from shared.clock import Clock
from shared.metering_day import PRAGUE

LOOK_S = 30.0
_log = structlog.get_logger(__name__)


def main(settings: Settings) -> None:
    """Run until SIGTERM or SIGINT; a database that is away is waited for. BadInput for addresses that are not https."""
    check_addresses(settings.package_urls, insecure=settings.package_urls_insecure)
    load_hooks()
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    engine = make_engine(settings.database_url, name="rozvodna-housekeeping", pool_size=1)
    _log.info("housekeeping started")
    outside = external_worker.start(engine, get_clock(), settings, stop)
    run(engine, get_clock(), settings, stop)
    outside.join(external_worker.LONGEST_STOP_S)
    engine.dispose()
    _log.info("housekeeping stopped")


def run(engine: Engine, clock: Clock, settings: Settings, stop: threading.Event) -> None:
    """Look at the clock until `stop`; the day's work is tried again while the database is away or busy."""
    done: date | None = None
    looked: datetime | None = None
    picked: datetime | None = None
    pickup = PackagePickup(
        engine,
        clock,
        settings.package_folder,
        settings.package_urls,
        insecure=settings.package_urls_insecure,
    )
    bank = BankPickup(engine, clock, settings.bank_folder)
    banked: datetime | None = None
    told: datetime | None = None
    turn = 0
    while not stop.is_set():
        now = clock.now()
        today = due(now, settings.housekeeping_at)
        # One that has to wait does not keep the other.
        if today != done and _done(partial(keep_house, engine, now, settings)):
            done = today
            _done(partial(share_energy, engine, now))
            _done(partial(look_for_corrections, engine, clock))
            _done(partial(watch_certificates, engine, now, settings))
        if look_due(looked, now, settings.service_cases_every) and _done(partial(look_at_cases, engine, now)):
            looked = now
        if look_due(picked, now, settings.packages_every) and _done(pickup.look):
            picked = now
        if look_due(banked, now, settings.bank_every) and _done(bank.look):
            banked = now
        if look_due(told, now, settings.market_every) and _done(partial(tell_market, engine, clock, settings, turn)):
            told, turn = now, turn + 1
        stop.wait(LOOK_S)


def _done(work: Callable[[], object]) -> bool:
    """Whether the work was done; while the database is away or busy it has to wait."""
    try:
        work()
    except DBAPIError as error:
        _log.warning("housekeeping has to wait", error=str(error.orig))
        return False
    return True


def due(now: datetime, hour: time) -> date:
    """The local day whose housekeeping is the latest due: today's from `hour` on, yesterday's before."""
    local = now.astimezone(PRAGUE)
    return local.date() if local.time() >= hour else date.fromordinal(local.toordinal() - 1)


def look_due(looked: datetime | None, now: datetime, every: timedelta) -> bool:
    """Whether it is time to look again; a clock that was set back does not stop the looks."""
    return looked is None or not timedelta(0) <= now - looked < every


def look_at_cases(engine: Engine, now: datetime) -> None:
    """One look for causes of service cases and for periodic work that comes due."""
    with transaction(engine) as connection:
        looked = look(connection, now)
    if looked.opened or looked.closed or looked.orders:
        _log.info("service cases", opened=looked.opened, closed=looked.closed, orders=looked.orders)


def look_for_corrections(engine: Engine, clock: Clock) -> None:
    """One look at what is invoiced and may still be corrected; what would be billed otherwise comes on the list."""
    today = clock.now().astimezone(PRAGUE).date()
    with transaction(engine) as connection:
        looked = corrections.look(connection, months_later(today.replace(day=1), -corrections.MONTHS), today, clock)
    if looked.open or looked.gone:
        _log.info("corrections", points=looked.points, open=looked.open, gone=looked.gone)


def share_energy(engine: Engine, now: datetime) -> None:
    """Compute anew what groups have shared lately, each by itself: it stands in for what EDC has not said yet."""
    end = now.astimezone(PRAGUE).date() - timedelta(days=1)
    first = months_later(end.replace(day=1), -1)
    with transaction(engine) as connection:
        groups = groups_on(connection, first, end)
    for code in groups:
        try:
            with transaction(engine) as connection:
                stored = compute(connection, code, first, end, "computed daily", SYSTEM, now)
        except DomainError as error:
            _log.warning("what a group shares cannot be computed", group=code, error=error.message)
            continue
        if stored.added:
            _log.info("shared energy", group=code, added=stored.added, lacking=len(stored.lacking))


def tell_market(engine: Engine, clock: Clock, settings: Settings, turn: int = 0) -> None:
    """One look for what the market operator must be told; what hinders all of it is logged and waits.

    Look number `turn`: beside the last months it looks at the earlier one whose turn it is.
    """
    if settings.market_since is None:
        return
    try:
        with transaction(engine) as connection:
            told = tell(
                connection,
                settings.market_since,
                clock,
                SYSTEM,
                sender=settings.ote_sender,
                bulk_from=settings.market_bulk_from,
                is_production=leads_to_production(settings),
                far=in_turn(settings.market_since, clock.now(), turn),
            )
    except DomainError as error:
        _log.warning("nothing was told to the market", error=error.message)
        return
    if told.made or told.problems:
        _log.info("told to the market", arose=told.arose, made=told.made, problems=len(told.problems))


def watch_certificates(engine: Engine, now: datetime, settings: Settings) -> None:
    """The market's certificates that run out soon are put on record; a wrong settings' file is told and waits."""
    try:
        channels = channel_settings(settings)
    except DomainError as error:
        _log.warning("certificates are not watched", error=error.message)
        return
    if channels is not None:
        with transaction(engine) as connection:
            watch(connection, channels, now)


def keep_house(engine: Engine, now: datetime, settings: Settings) -> None:
    """One day's work: the columnstore where there is one, then what may go, each in a transaction of its own."""
    with transaction(engine) as connection:
        switched = switch_on(connection, SYSTEM, now)
    if switched:
        _log.info("columnstore switched on", tables=switched)
    with transaction(engine) as connection:
        verdicts = keep.run(connection, now, settings.pinned_retention_years, SYSTEM)
    dropped = [verdict.piece.name or verdict.piece.target for verdict in verdicts if verdict.drop]
    _log.info("housekeeping done", dropped=dropped, kept=len(verdicts) - len(dropped))
