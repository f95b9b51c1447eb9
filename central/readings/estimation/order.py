"""The order in which substitute values are made (pořadí náhradních hodnot): data of the legislative package.

A package's section `estimation_orders` is decoded into these structures; the database keeps them as rows of
`estimation_order`, one for each metering type and class of channels.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

import msgspec

from shared.quantities import Quality

ANY_TYPE = ""
"""A metering type that is not named: the order holds for points of any type, and for channels without a point."""
METERING_TYPES = ("A", "B", "C1", "C2", "C3", "C4")
CLASSES = {"A+": "active", "A-": "active", "R+": "reactive", "R-": "reactive", "V": "volume"}
"""Class of an interval channel by its direction."""
LONGEST_WINDOW = 62
"""Days that an order may look back: bounds what is read for one estimated day."""


class StepMethod(StrEnum):
    """What a step does."""

    REREAD = "reread"
    """Ask the meter again and wait `wait_hours` after the day's deadline (opakovaný odečet)."""
    CHECK_METER = "check_meter"
    """The check meter's values."""
    NODE_BALANCE = "node_balance"
    """What the node's other meters leave over."""
    LINEAR = "linear"
    """Linear between the neighbours of a gap; flat where only one is known."""
    LIKE_DAY = "like_day"
    """Mean of the `days` most recent days of the same type, at most `days_back` ago."""
    LOAD_PROFILE = "load_profile"
    """The load-profile class's shape, its level from what was measured up to `days_back` before, else from states."""
    MANUAL = "manual"
    """A person enters the values; nothing after it is tried."""


class StepQuality(StrEnum):
    """Quality of the values that a step makes."""

    ESTIMATED = "estimated"
    SUBSTITUTE = "substitute"

    @property
    def code(self) -> Quality:
        """As day profiles hold it."""
        return Quality.ESTIMATED if self is StepQuality.ESTIMATED else Quality.SUBSTITUTE


class EstimationStep(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """One method with its limits: gaps longer than `longest_gap_minutes` are left to the next step (none: no limit)."""

    method: StepMethod
    quality: StepQuality = StepQuality.ESTIMATED
    longest_gap_minutes: int | None = None
    days_back: int = 30
    days: int = 3
    wait_hours: int = 0


class EstimationOrder(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Steps for channels of a commodity, by metering types (none: any) and classes (active, reactive, volume).

    A day is not estimated when, of the `within_days` days that end with it, more than `most_estimated_days` miss
    values. `scale_to_states`: what was estimated between two register states is scaled so that it sums, with what
    was measured, exactly to their difference.
    """

    commodity: str
    metering_types: list[str]
    classes: list[str]
    steps: list[EstimationStep]
    most_estimated_days: int
    within_days: int
    scale_to_states: bool
    source: str
    mark: str
    valid: tuple[str, str] | None = None
    note: str = ""


@dataclass(frozen=True, slots=True)
class OrderInForce:
    """One row: the steps for a metering type and class over [first, end)."""

    commodity: str
    metering_type: str
    channel_class: str
    first: date
    end: date
    steps: tuple[EstimationStep, ...]
    most_estimated_days: int
    within_days: int
    scale_to_states: bool


def order_for(
    orders: Sequence[OrderInForce], commodity: str, metering_type: str, channel_class: str, day: date
) -> OrderInForce | None:
    """The order of a channel's day: that of its metering type, else that of any type; None where none is in force."""
    for wanted in dict.fromkeys((metering_type, ANY_TYPE)):
        for order in orders:
            key = (order.commodity, order.metering_type, order.channel_class)
            if key == (commodity, wanted, channel_class) and order.first <= day < order.end:
                return order
    return None


def problems(order: EstimationOrder, what: str) -> Iterator[str]:
    """What is wrong with an order, in sentences."""
    if order.commodity not in ("electricity", "gas"):
        yield f"{what} is for {order.commodity}; electricity or gas is expected."
    if unknown := sorted(set(order.metering_types) - set(METERING_TYPES)):
        yield f"{what} names the metering type {unknown[0]}; expected {', '.join(METERING_TYPES)}."
    known = sorted(set(CLASSES.values()))
    if not order.classes or (unknown := sorted(set(order.classes) - set(known))):
        yield f"{what} is for the classes {', '.join(order.classes) or '(none)'}; expected some of {', '.join(known)}."
    if not 0 < order.within_days <= LONGEST_WINDOW or order.most_estimated_days < 0:
        yield f"{what} counts estimated days within {order.within_days} days; 1 to {LONGEST_WINDOW} are possible."
    for step in order.steps:
        if not 0 < step.days_back <= LONGEST_WINDOW or step.days < 1:
            yield f"{what} compares {step.days} days up to {step.days_back} days ago; 1 to {LONGEST_WINDOW} can be."
        if not 0 <= step.wait_hours <= 24 * LONGEST_WINDOW or (step.longest_gap_minutes or 1) < 1:
            yield f"{what} has a step {step.method} with a limit that is not possible."
