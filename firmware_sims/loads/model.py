"""What a scenario says about a load: one struct a kind, told apart by `kind`. Powers in W, gas in dm3 an hour."""

from typing import Annotated, Literal

from msgspec import Meta, Struct

Power = Annotated[int, Meta(ge=0, le=100_000_000)]
"""W, up to 100 MW: the integer arithmetic of the curves is exact below that."""
Seed = Annotated[int, Meta(ge=0, le=2**63 - 1)]


class Constant(Struct, tag_field="kind", tag="constant", frozen=True, forbid_unknown_fields=True):
    """The same in every interval (street lighting by day, stand-by of an inverter)."""

    mean_w: Power


class _Shaped(Struct, tag_field="kind", frozen=True, forbid_unknown_fields=True):
    """A consumer with the daily shape of its kind (shapes.json), scaled to a yearly mean."""

    mean_w: Power
    seed: Seed = 0


class Office(_Shaped, tag="office", frozen=True, forbid_unknown_fields=True):
    """Offices: working days, daytime."""


class Shift(_Shaped, tag="shift", frozen=True, forbid_unknown_fields=True):
    """A plant in two shifts."""


class ThreeShift(_Shaped, tag="three_shift", frozen=True, forbid_unknown_fields=True):
    """A plant that works through the week's nights and slows down at the week-end."""


class Retail(_Shaped, tag="retail", frozen=True, forbid_unknown_fields=True):
    """A shop, open seven days."""


class Household(_Shaped, tag="household", frozen=True, forbid_unknown_fields=True):
    """A flat: evening peak, much noise."""


class Heating(Struct, tag_field="kind", tag="heating", frozen=True, forbid_unknown_fields=True):
    """A gas boiler by the hour; follows the season and the scenario's weather."""

    mean_dm3_h: Annotated[int, Meta(ge=0, le=1_000_000_000)]
    seed: Seed = 0


class Pv(Struct, tag_field="kind", tag="pv", frozen=True, forbid_unknown_fields=True):
    """A photovoltaic plant: zero at night, clear and cloudy days by the scenario's weather."""

    peak_w: Power
    seed: Seed = 0


class Inductive(Struct, tag_field="kind", tag="inductive", frozen=True, forbid_unknown_fields=True):
    """Reactive import that follows the active register `of` of the same meter at a power factor."""

    of: str
    power_factor_permille: Annotated[int, Meta(ge=700, le=999)] = 970
    seed: Seed = 0


class Capacitive(Struct, tag_field="kind", tag="capacitive", frozen=True, forbid_unknown_fields=True):
    """Reactive delivery by night (cables, compensation left on): a share of the active register `of`."""

    of: str
    share_permille: Annotated[int, Meta(ge=0, le=1000)] = 60


class Sum(Struct, tag_field="kind", tag="sum", frozen=True, forbid_unknown_fields=True):
    """One direction of an entry meter: what the meters `of` take, less what they deliver, plus the network's losses.

    Per interval, net = sum of imports x (1 + loss) - sum of exports; side "import" is its positive part and
    "export" the negative one turned round.
    """

    of: tuple[str, ...]
    """Ids of the meters behind."""
    side: Literal["import", "export"] = "import"
    loss_permille: Annotated[int, Meta(ge=0, le=500)] = 0


Shaped = Office | Shift | ThreeShift | Retail | Household
Load = Constant | Office | Shift | ThreeShift | Retail | Household | Heating | Pv | Inductive | Capacitive | Sum
