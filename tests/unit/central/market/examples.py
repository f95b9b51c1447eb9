"""A small message that the tests of the market room share: one point, one day of 92 quarter-hours."""

from datetime import UTC, date, datetime

from central.market.cdsdata import IntervalData, Location, Profile, ProfileDay
from central.market.envelope import Envelope, Participant
from shared.metering_day import MeteringDay
from shared.quantities import Commodity, Quality

POINT = "859182400900000013"
SENDER = "8591824900017"
OPERATOR = "8591824000007"
AT = datetime(2026, 4, 1, 6, 0, tzinfo=UTC)
SPRING = MeteringDay(Commodity.ELECTRICITY, date(2026, 3, 29))
AUTUMN = MeteringDay(Commodity.ELECTRICITY, date(2026, 10, 25))
ORDINARY = MeteringDay(Commodity.ELECTRICITY, date(2026, 3, 1))


def envelope(message_id: str = "121-20260401060000-0badcafe", sender: str = SENDER) -> Envelope:
    return Envelope(message_id, "121", AT, Participant(sender), Participant(OPERATOR), (), True, "CS")


def message(
    *days: MeteringDay, message_id: str = "121-20260401060000-0badcafe", sender: str = SENDER, point: str = POINT
) -> IntervalData:
    """Values 0, 1, 2, ... Wh taken and ten times as many varh; the third taken value is a substitute."""
    taken = [
        ProfileDay(
            day,
            list(range(day.length)),
            [Quality.SUBSTITUTE if index == 2 else Quality.MEASURED for index in range(day.length)],
        )
        for day in days or (SPRING,)
    ]
    reactive = [ProfileDay(day, [10 * index for index in range(day.length)]) for day in days or (SPRING,)]
    return IntervalData(
        envelope(message_id, sender),
        [Location(point, 1, [Profile("A+", "Wh", 0, taken), Profile("R+", "varh", 0, reactive)])],
    )
