"""CDSCLAIM, and CDSGASCLAIM of gas: claims (reklamace) about data and billing, and their answers.

Only the names of the formats are documented.
"""

from collections.abc import Iterator
from datetime import date
from typing import Final, Literal

import msgspec

from central.market.payloads.days import backward

FORMAT: Final = "CDSCLAIM"
GAS_FORMAT: Final = "CDSGASCLAIM"


class Claim(msgspec.Struct, frozen=True, kw_only=True):
    """A claim (reklamace) about days of a supply point; `message` is the id of the message that it is about."""

    claim: str
    opm: str
    kind: Literal["metering", "billing", "master_data", "other"]
    first_day: date
    last_day: date
    state: Literal["new", "accepted", "rejected", "closed"]
    text: str
    message: str | None = None


class ClaimAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The answer (vyjádření k reklamaci); a rejection says why."""

    claim: str
    result: Literal["accept", "reject"]
    reason: Literal["data_right", "corrected", "late", "other"] | None = None
    text: str | None = None


class Claims(msgspec.Struct, frozen=True, kw_only=True):
    """The payload: claims, answers or both."""

    claims: list[Claim] = []
    answers: list[ClaimAnswer] = []


def problems(data: Claims) -> list[str]:
    """What the other side would refuse, one sentence each."""
    if not data.claims and not data.answers:
        return ["The message has neither a claim nor an answer to one."]
    return [*_of_claims(data.claims), *_of_answers(data.answers)]


def _of_claims(claims: list[Claim]) -> Iterator[str]:
    for claim in claims:
        yield from backward(f"The claim {claim.claim} of {claim.opm}", claim)


def _of_answers(answers: list[ClaimAnswer]) -> Iterator[str]:
    for answer in answers:
        if answer.result == "reject" and answer.reason is None:
            yield f"The claim {answer.claim} is rejected without a reason."
        if answer.reason == "other" and answer.text is None:
            yield f"The answer to the claim {answer.claim} has another reason and no text that names it."
