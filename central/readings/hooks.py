"""What the readings answer to lower rooms: which day profiles a change touches."""

from collections.abc import Iterator

from sqlalchemy import Connection, text

from central.platform.hooks import Change, Hooks, Touched

VOLUME_STAYS = frozenset({"calorific_value", "gas_conversion"})
"""Kinds of change that touch what is made of a profile, and not the profile."""

TOUCHED = text("""
    -- days with a profile of the points' channels within the time that a change touches
    SELECT count(DISTINCT (p.channel, p.day)) AS things, min(p.day) AS since, max(p.day) + 1 AS until,
           array_agg(DISTINCT c.point || ' ' || c.direction) AS channels
      FROM day_profile p JOIN channel c ON c.id = p.channel
     WHERE c.supply_point = ANY (:points) AND p.day >= :since AND (CAST(:until AS date) IS NULL OR p.day < :until)
""")


def affected_by(connection: Connection, change: Change) -> Iterator[Touched]:
    """Day profiles of the change's points from its first day on."""
    if not change.supply_points or change.kind in VOLUME_STAYS:
        return
    period = {"points": list(change.supply_points), "since": change.since, "until": change.until}
    row = connection.execute(TOUCHED, period).one()
    yield Touched("readings", "day_profile", row.things, row.since, row.until, tuple((row.channels or [])[:5]))


def register(hooks: Hooks) -> None:
    """Answer for the readings."""
    hooks.register("readings", affected_by=affected_by)
