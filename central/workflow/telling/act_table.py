"""What acts at points of electricity and gas have in common: which ones happened, and what the message does by them.

Pure. Each commodity names the facts whose change is an act of its own; the acts of gas have the prefix `gas_`.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Final, Protocol, TypeVar

from central.market.payloads.master_data import Action, PointCustomer

LIVE: Final = ("connected", "suspended")
NAME: Final = 100
"""Characters of a name that the messages have room for."""
_ACTIONS: Final[Mapping[str, Action]] = {"registration": "register", "end": "cancel", "suspension": "suspend"}
"""By act, the first that is there; any other one is a change."""


class Standing(Protocol):
    """A point as it stands on a day."""

    @property
    def state(self) -> str: ...
    @property
    def supplier(self) -> str | None: ...
    @property
    def household(self) -> bool: ...
    @property
    def customer(self) -> str | None: ...
    @property
    def customer_number(self) -> str | None: ...


F = TypeVar("F", bound=Standing)


def acts_between(
    before: F | None, now: F | None, facts: Mapping[str, Callable[[F], object]], *, exchanged: bool, prefix: str = ""
) -> list[str]:
    """The acts of a day, in the order of the rules; [] where nothing that the operator knows has changed.

    `facts` has by act the facts whose change it is, in that order behind the acts that all points have.
    """
    was = before is not None and before.state in LIVE
    is_live = now is not None and now.state in LIVE
    if not is_live:
        return [f"{prefix}end"] if was else []
    if not was or before is None or now is None:
        return [f"{prefix}registration"]
    changed = {
        "suspension": before.state != now.state and now.state == "suspended",
        "resumption": before.state != now.state and now.state == "connected",
        "change_of_supplier": before.supplier != now.supplier,
        "exchange": exchanged,
        **{act: of(before) != of(now) for act, of in facts.items()},
    }
    return [f"{prefix}{act}" for act, happened in changed.items() if happened]


def action_of(acts: Sequence[str], prefix: str = "") -> Action:
    """What the message of these acts does to the point."""
    return next((action for act, action in _ACTIONS.items() if f"{prefix}{act}" in acts), "change")


def customer_of(facts: Standing) -> PointCustomer | None:
    """Whose the point is; of a household no company number."""
    if facts.customer is None:
        return None
    return PointCustomer(
        kind="household" if facts.household else "business",
        name=facts.customer[:NAME],
        company_number=None if facts.household else facts.customer_number,
    )
