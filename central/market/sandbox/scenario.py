"""What the sandbox shall do out of the ordinary: a JSON file given by whoever starts it."""

from pathlib import Path
from typing import Literal

import msgspec

from central.market.errors import FormatError

Answer = Literal["accept", "reserve", "reject"]


class Rule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """For the messages it matches: another answer, a delay, a lost or repeated one. What is not given matches all."""

    id: str | None = None
    code: str | None = None
    opm: str | None = None
    answer: Answer | None = None
    text: str = "scenario"
    delay_s: float | None = None
    lose: bool = False
    """Judge the message but never answer this delivery."""
    copies: int = 1
    """How many times the answer is delivered."""
    times: int | None = None
    """How many deliveries the rule holds for; always if not given."""

    def matches(self, message_id: str, code: str, opms: set[str]) -> bool:
        """Whether the rule is about this message."""
        return self.id in (None, message_id) and self.code in (None, code) and (self.opm is None or self.opm in opms)


class Scenario(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Who is registered (None: whoever has a right check digit), the usual delay of answers, and the exceptions."""

    senders: frozenset[str] | None = None
    points: frozenset[str] | None = None
    delay_s: float = 0.0
    rules: list[Rule] = []


def read_scenario(path: Path | None) -> Scenario:
    """The scenario of a file; the empty one without a file; FormatError with the offending field."""
    if path is None:
        return Scenario()
    try:
        return msgspec.json.decode(path.read_bytes(), type=Scenario)
    except msgspec.DecodeError as error:
        raise FormatError("bad_scenario", f"The scenario {path} cannot be read: {error}.") from None


class Rules:
    """The rules of a scenario with the count of how often each was used."""

    def __init__(self, rules: list[Rule]) -> None:
        self._rules = rules
        self._used = [0] * len(rules)

    def take(self, message_id: str, code: str, opms: set[str]) -> Rule:
        """The first rule that matches and is not used up; an empty one if there is none."""
        for index, rule in enumerate(self._rules):
            if rule.matches(message_id, code, opms) and (rule.times is None or self._used[index] < rule.times):
                self._used[index] += 1
                return rule
        return Rule()
