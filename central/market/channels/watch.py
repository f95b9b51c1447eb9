"""The watch over certificates and over what was kept aside: once a day, by housekeeping; and what it shows."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

import structlog
from cryptography import x509
from prometheus_client import CollectorRegistry, Gauge, generate_latest
from sqlalchemy import Connection, RowMapping

from central.market.channels import archive
from central.market.channels.certificates import Expiry, fingerprint, judge_expiry, name_of
from central.market.channels.config import ChannelSettings
from central.market.channels.revocation import RevocationList
from central.platform import audit
from central.platform.errors import BadInput
from central.platform.identity import SYSTEM

ASIDE_DAYS: Final = 90
"""What was kept aside is dropped after so many days: it is mostly unasked for."""
_log = structlog.get_logger(__name__)


def watch(connection: Connection, settings: ChannelSettings, at: datetime) -> list[Expiry]:
    """Record every certificate that runs out soon or did and has no successor, and lists of revoked ones that are out
    of date; drop what was long kept aside."""
    found = running_out(settings, at)
    subjects = {f"market_certificate/{fingerprint(expiry.watched.certificate)}": shown(expiry) for expiry in found}
    audit.record_each(connection, SYSTEM, "market.certificate.expiring", subjects, at)
    for expiry in found:
        _log.warning("certificate runs out", name=expiry.watched.name, state=expiry.state, days_left=expiry.days_left)
    for party in settings.counterparties.values():
        stale = [str(each.path) for each in party.lists if _is_stale(each, at)]
        if stale:
            _log.warning("lists of revoked certificates are out of date", counterparty=party.code, files=stale)
            subject = f"market_counterparty/{party.code}"
            audit.record(connection, SYSTEM, "market.revocation_list.stale", subject, {"files": stale}, at)
    drop_aside(connection, at)
    return found


def running_out(settings: ChannelSettings, at: datetime) -> list[Expiry]:
    """Certificates that run out soon or did and have no successor."""
    return [
        expiry
        for expiry in judge_expiry(settings.watched(), at, settings.source.warn_days)
        if expiry.state in {"expiring", "expired"} and not expiry.replaced
    ]


def list_days_left(settings: ChannelSettings, at: datetime) -> dict[str, int]:
    """By file: days until a list of revoked certificates is out of date (-1 where it cannot be read)."""
    found: dict[str, int] = {}
    for party in settings.counterparties.values():
        for each in party.lists:
            try:
                until = each.current().next_update_utc
            except BadInput:
                found[str(each.path)] = -1
                continue
            if until is not None:
                found[str(each.path)] = (until - at).days
    return found


def drop_aside(connection: Connection, at: datetime) -> int:
    """Drop what was kept aside for long enough; how many."""
    dropped = archive.drop_aside(connection, at - timedelta(days=ASIDE_DAYS))
    if dropped:
        audit.record(connection, SYSTEM, "market.aside.drop", "market_aside", {"mails": dropped}, at)
    return dropped


def shown(expiry: Expiry) -> dict[str, Any]:
    """A certificate for people and for the record."""
    certificate: x509.Certificate = expiry.watched.certificate
    return {
        "holder": expiry.watched.holder,
        "name": expiry.watched.name,
        "roles": list(expiry.watched.roles),
        "subject": name_of(certificate),
        "fingerprint": fingerprint(certificate),
        "valid_from": certificate.not_valid_before_utc.isoformat(),
        "valid_to": certificate.not_valid_after_utc.isoformat(),
        "state": expiry.state,
        "days_left": expiry.days_left,
        "replaced": expiry.replaced,
    }


def _is_stale(revoked: RevocationList, at: datetime) -> bool:
    try:
        return revoked.is_stale(at)
    except BadInput:
        return True


def metrics(
    expiries: Sequence[Expiry], lists: Mapping[str, int] | None = None, unasked: Sequence[RowMapping] = ()
) -> bytes:
    """Days that certificates and lists of revoked ones have left, and what was dropped of strangers, for Prometheus."""
    registry = CollectorRegistry()
    left = Gauge(
        "rozvodna_market_certificate_days_left",
        "Days until a certificate of the market's channels runs out",
        ["holder", "name", "role", "fingerprint"],
        registry=registry,
    )
    for expiry in expiries:
        for role in expiry.watched.roles:
            labels = expiry.watched.holder, expiry.watched.name, role, fingerprint(expiry.watched.certificate)[:16]
            left.labels(*labels).set(expiry.days_left)
    list_left = Gauge(
        "rozvodna_market_revocation_list_days_left",
        "Days until a list of revoked certificates is out of date",
        ["file"],
        registry=registry,
    )
    for file, days in (lists or {}).items():
        list_left.labels(file).set(days)
    dropped = Gauge(
        "rozvodna_market_unasked_dropped",
        "What strangers brought today over the quota of a channel",
        ["channel", "kind"],
        registry=registry,
    )
    for row in unasked:
        dropped.labels(row["channel"], row["kind"]).set(row["dropped"])
    return generate_latest(registry)
