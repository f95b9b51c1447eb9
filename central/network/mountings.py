"""Mountings (osazení): which meter hangs where, since when until when. Mount, dismount, find."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, RowMapping, func, insert, select, text, update
from sqlalchemy.dialects.postgresql import Range
from sqlalchemy.exc import IntegrityError

from central.network.channels import by_name, validity_of
from central.network.meters import require_meter
from central.network.point_tables import measuring_point, mounting
from central.network.points import require_point
from central.network.tables import meter as meter_table
from central.platform.constraints import explain
from central.platform.errors import Refused
from central.platform.reconcile import Outcome, reconcile

Spec = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class _Asked:
    """A meter that is to hang at a measuring point (its row)."""

    meter: str
    point: Any
    valid: Range[datetime]


_FOUND = (
    select(
        mounting.c.id,
        mounting.c.meter,
        measuring_point.c.name.label("measuring_point"),
        func.lower(mounting.c.valid).label("since"),
        func.upper(mounting.c.valid).label("until"),
    )
    .join(measuring_point, measuring_point.c.id == mounting.c.measuring_point)
    .order_by(func.lower(mounting.c.valid), mounting.c.id)
)


def find_mountings(
    connection: Connection, *, meter: str | None = None, point: str | None = None
) -> Sequence[RowMapping]:
    """Mountings of a meter, or at a measuring point, oldest first."""
    query = _FOUND
    if meter is not None:
        query = query.where(mounting.c.meter == meter)
    if point is not None:
        query = query.where(measuring_point.c.name == point)
    return connection.execute(query).mappings().all()


def create_mountings(connection: Connection, specs: Sequence[Spec]) -> Outcome:
    """Mount many, as a site file has them: `meter`, `measuring_point`, `since`, `until`; once more without effect."""
    points = by_name(connection, measuring_point, ("name",), {(spec["measuring_point"],) for spec in specs})
    connection.execute(_LOCK, {"points": [point.id for point in points.values()]})
    asked = []
    for spec in specs:
        point = points[(spec["measuring_point"],)]
        valid = validity_of(f"mounting of {spec['meter']} at {point.name}", spec["since"], spec.get("until"))
        asked.append(_Asked(spec["meter"], point, valid))
    _require_free(connection, asked, repeatable=True)
    rows = [
        {"meter": each.meter, "measuring_point": each.point.id, "several": each.point.several, "valid": each.valid}
        for each in asked
    ]
    return reconcile(connection, mounting, "mounting", ("meter", "measuring_point", "valid"), rows)


def mount_by_mappings(connection: Connection, meters: Sequence[str]) -> int:
    """Mount those of these meters that were never mounted and feed channels of one point, for as long as they do.

    For what comes without mountings. A point that two of them feed at a time allows several. Gives their number.
    """
    parameters = {"meters": sorted(set(meters))}
    connection.execute(text(_CROWDED.format(hung=_HUNG)), parameters)
    return connection.execute(text(_HANG.format(hung=_HUNG)), parameters).rowcount


def mount(connection: Connection, meter: str, point_name: str, since: datetime) -> None:
    """Hang a meter at a measuring point from `since` on.

    Refused, naming both sides, where the place allows one and another hangs there, or the meter hangs elsewhere, at
    `since` or later; or where the meter measures another commodity.
    """
    require_point(connection, point_name, lock=True)
    point = by_name(connection, measuring_point, ("name",), [(point_name,)])[(point_name,)]
    valid = Range(since, None, bounds="[)")
    _require_free(connection, [_Asked(meter, point, valid)])
    row = {"meter": meter, "measuring_point": point.id, "several": point.several, "valid": valid}
    try:
        connection.execute(insert(mounting).values(row))
    except IntegrityError as error:
        raise explain(error) from error


def dismount(connection: Connection, meter: str, point_name: str, at: datetime) -> RowMapping:
    """Take a meter down at `at`; gives the mounting as it was. Refused where it does not hang there then."""
    require_meter(connection, meter)
    point = require_point(connection, point_name, lock=True)
    found = find_mountings(connection, meter=meter)
    for row in found:
        if row["measuring_point"] != point_name or row["until"] is not None:
            continue
        if row["since"] is not None and at <= row["since"]:
            raise Refused(
                "before_mounting",
                f"The meter {meter} was mounted at {point_name} at {row['since'].isoformat()}; it cannot be taken down "
                f"at {at.isoformat()}, which is not after that.",
            )
        connection.execute(
            update(mounting).where(mounting.c.id == row["id"]).values(valid=Range(row["since"], at, bounds="[)"))
        )
        return row
    last = found[-1] if found else None
    where = (
        "it was never mounted"
        if last is None
        else f"it hangs at {last['measuring_point']} since {_said(last['since'])}"
        if last["until"] is None
        else f"it was taken down from {last['measuring_point']} at {_said(last['until'])}"
    )
    raise Refused("not_mounted", f"The meter {meter} does not hang at {point['name']}: {where}.")


def _require_free(connection: Connection, asked: Sequence[_Asked], *, repeatable: bool = False) -> None:
    """Refused, naming both sides, where a meter or a place is taken; `repeatable`: not by the very same mounting."""
    meters = by_name(connection, meter_table, ("id",), {(each.meter,) for each in asked})
    for each in asked:
        measured = meters[(each.meter,)].commodity
        if measured != each.point.commodity:
            raise Refused(
                "commodity",
                f"The meter {each.meter} measures {measured}; the measuring point {each.point.name} is of "
                f"{each.point.commodity}.",
            )
    parameters = {
        "meters": [each.meter for each in asked],
        "points": [each.point.id for each in asked],
        "sinces": [each.valid.lower for each in asked],
        "untils": [each.valid.upper for each in asked],
    }
    for row in connection.execute(_IN_THE_WAY, parameters):
        wanted = asked[row.number - 1]
        name, since = wanted.point.name, wanted.valid.lower
        assert since is not None
        same = (row.meter, row.measuring_point, row.since, row.until)
        if repeatable and same == (wanted.meter, name, since, wanted.valid.upper):
            continue
        span = f"from {_said(row.since)} to {_said(row.until)}"
        if row.meter == wanted.meter:
            raise Refused(
                "mounted_elsewhere",
                f"The meter {row.meter} hangs at {row.measuring_point} {span}; it cannot hang at {name} from "
                f"{since.isoformat()} as well. Take it down there first.",
            )
        if not wanted.point.several:
            raise Refused(
                "second_meter",
                f"The measuring point {name} allows one active meter, and {row.meter} hangs there {span}; "
                f"{wanted.meter} cannot hang there from {since.isoformat()} as well. Exchange or remove {row.meter}.",
            )


def _said(instant: datetime | None) -> str:
    return "ever" if instant is None else instant.isoformat()


_HUNG = """
    WITH hung AS (
        SELECT e.device AS meter, min(p.id) AS point,
               tstzrange(nullif(min(coalesce(lower(m.valid), '-infinity')), '-infinity'),
                         nullif(max(coalesce(upper(m.valid), 'infinity')), 'infinity')) AS valid
        FROM channel_mapping m JOIN evidence_channel e ON e.id = m.evidence_channel
        JOIN channel c ON c.id = m.channel JOIN measuring_point p ON p.name = c.point
        WHERE e.device = ANY(:meters) AND NOT EXISTS (SELECT FROM mounting o WHERE o.meter = e.device)
        GROUP BY e.device HAVING count(DISTINCT p.id) = 1
    )
"""

_CROWDED = """{hung}
    UPDATE measuring_point SET several = true WHERE NOT several AND id IN (
        SELECT a.point FROM hung a JOIN (
            SELECT meter, point, valid FROM hung UNION ALL SELECT meter, measuring_point, valid FROM mounting
        ) b ON b.point = a.point AND b.meter <> a.meter AND b.valid && a.valid)
"""

_HANG = """{hung}
    INSERT INTO mounting (meter, measuring_point, several, valid)
    SELECT h.meter, p.id, p.several, h.valid FROM hung h JOIN measuring_point p ON p.id = h.point ORDER BY h.meter
"""

_LOCK = text("""
    SELECT id FROM measuring_point WHERE id = ANY(CAST(:points AS integer[])) ORDER BY id FOR UPDATE
""")

_IN_THE_WAY = text("""
    WITH asked AS (
        SELECT number, meter, point, tstzrange(since, until) AS valid
        FROM unnest(CAST(:meters AS text[]), CAST(:points AS integer[]), CAST(:sinces AS timestamptz[]),
                    CAST(:untils AS timestamptz[])) WITH ORDINALITY AS a (meter, point, since, until, number)
    ), met AS (
        SELECT a.number, a.meter, m.id FROM asked a JOIN mounting m ON m.meter = a.meter AND m.valid && a.valid
        UNION
        SELECT a.number, a.meter, m.id FROM asked a
        JOIN mounting m ON m.measuring_point = a.point AND m.valid && a.valid
    )
    SELECT met.number, m.meter, p.name AS measuring_point, lower(m.valid) AS since, upper(m.valid) AS until
    FROM met JOIN mounting m ON m.id = met.id JOIN measuring_point p ON p.id = m.measuring_point
    ORDER BY met.number, m.meter <> met.meter, lower(m.valid)
""")
