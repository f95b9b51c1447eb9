"""What the sandbox shall do out of the ordinary: a JSON or TOML file given by whoever starts it.

A rule may hold by chance. Chances are drawn from the scenario's seed and from what a delivery is about (message code,
supply points, the how-manieth delivery about them), so a run repeats in whatever order messages come.
"""

import hashlib
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Literal

import msgspec

from central.market.errors import FormatError

Answer = Literal["accept", "reserve", "reject"]
Share = Annotated[float, msgspec.Meta(ge=0, le=1)]
Seconds = Annotated[float, msgspec.Meta(ge=0, le=86_400)]
Count = Annotated[int, msgspec.Meta(ge=1, le=100)]
_TYPES = {"accept": "A01", "reserve": "A03", "reject": "A02"}


class Rule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """For the messages it matches: another answer, a delay, something lost or doubled. What is not given matches all.

    A message that the sandbox itself rejects stays rejected, whatever the answer is here.
    """

    id: str | None = None
    code: str | None = None
    opm: str | None = None
    nth: int | None = None
    """The how-manieth delivery about the same supply points under the same code, from 1."""
    chance: Share = 1.0
    answer: Answer | None = None
    type: Literal["A01", "A02", "A03", "A04"] | None = None
    """Type of the answer's reason, where it shall be another one than the answer's usual."""
    reason: str | None = None
    """Code of the answer's reason, 4 characters; S900 if not given."""
    text: str = "scenario"
    element: str | None = None
    """Where in the message the fault is said to be: a path, `/CDSDATA/Location/@opm-id`."""
    delay_s: Seconds | None = None
    lose: Literal["message", "receipt", "answer"] | None = None
    """message: a receipt, and the message is never seen; receipt: taken, and the sender hears nothing; answer: judged
    and never answered."""
    refuse: str | None = None
    """Not taken in at all, for good, with this sentence."""
    doubled: bool = False
    """The message arrives twice."""
    copies: Count = 1
    """How many times the answer is delivered."""
    times: int | None = None
    """How many deliveries the rule holds for; always if not given."""

    @property
    def reason_type(self) -> str:
        """Type of the reason that the answer has."""
        return self.type or _TYPES[self.answer or "accept"]

    @property
    def sentence(self) -> str:
        """The reason's text with the place in the message."""
        return f"{self.text} ({self.element})" if self.element else self.text

    def matches(self, message_id: str, code: str, opms: frozenset[str], nth: int) -> bool:
        """Whether the rule is about this delivery."""
        about = self.id in (None, message_id) and self.code in (None, code) and self.nth in (None, nth)
        return about and (self.opm is None or self.opm in opms)


class Scenario(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Who is registered (None: whoever has a right check digit), the usual delay of answers, and the exceptions.

    Points that are registered by a message (111, 194, XG1) are added to `points`. `strict`: without `points` none is
    registered at first, and what a message refers to must have come before.
    """

    senders: frozenset[str] | None = None
    points: frozenset[str] | None = None
    strict: bool = False
    seed: int = 0
    delay_s: Seconds = 0.0
    spread_s: Seconds = 0.0
    """So much later, at most, an answer may come: answers overtake one another."""
    rules: list[Rule] = []


def read_scenario(path: Path | None) -> Scenario:
    """The scenario of a file; the empty one without a file; FormatError with the offending field."""
    if path is None:
        return Scenario()
    try:
        octets = path.read_bytes()
        if path.suffix == ".toml":
            return msgspec.toml.decode(octets, type=Scenario)
        return msgspec.json.decode(octets, type=Scenario)
    except (msgspec.DecodeError, ValueError) as error:
        raise FormatError("bad_scenario", f"The scenario {path} cannot be read: {error}.") from None


class Rules:
    """The rules of a scenario with the count of how often each was used, and of deliveries by what they are about."""

    def __init__(self, scenario: Scenario, earlier: Iterable[tuple[str, Iterable[str]]] = ()) -> None:
        self._scenario = scenario
        self._used = [0] * len(scenario.rules)
        self._seen = Counter((code, frozenset(opms)) for code, opms in earlier)

    def take(self, message_id: str, code: str, opms: frozenset[str]) -> tuple[Rule, float]:
        """The first rule that holds for a delivery (an empty one if none does), and its answer's delay in seconds."""
        self._seen[code, opms] += 1
        nth = self._seen[code, opms]
        about = f"{self._scenario.seed}/{code}/{','.join(sorted(opms))}/{nth}"
        found = Rule()
        for index, rule in enumerate(self._scenario.rules):
            if (
                rule.matches(message_id, code, opms, nth)
                and (rule.times is None or self._used[index] < rule.times)
                and (rule.chance == 1.0 or _drawn(f"{about}/{index}") < rule.chance)
            ):
                self._used[index] += 1
                found = rule
                break
        usual = self._scenario.delay_s + self._scenario.spread_s * _drawn(f"{about}/delay")
        return found, usual if found.delay_s is None else found.delay_s


def _drawn(about: str) -> float:
    """A number from 0 to 1 that depends on the text alone."""
    return int.from_bytes(hashlib.sha256(about.encode()).digest()[:7]) / 2**56
