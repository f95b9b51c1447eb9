"""Tells the rooms above that what is known of channels changed, so that their days are to be judged anew."""

from collections.abc import Collection
from datetime import date, datetime, timedelta

from sqlalchemy import Connection

from central.platform.hooks import HOOKS
from shared.metering_day import PRAGUE

CHANNELS_CHANGED = "channels.changed"
"""Published with `channels` (ids), the days `first` to `last`, both included, and `reason`."""
FAR_BACK = timedelta(days=400)
"""Days further back are judged anew only when somebody asks for it."""


def tell_changed(
    connection: Connection, channels: Collection[int], first: date, end: date | None, reason: str, now: datetime
) -> None:
    """Of the days from `first` to before `end` those that have begun, no more than FAR_BACK; nothing where there are
    none."""
    today = now.astimezone(PRAGUE).date()
    first = max(first, today - FAR_BACK)
    last = today if end is None or end > today else end - timedelta(days=1)
    if channels and first <= last:
        event = {"channels": sorted(channels), "first": first, "last": last, "reason": reason}
        HOOKS.publish(connection, CHANNELS_CHANGED, event)
