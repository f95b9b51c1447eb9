"""Scenarios of conversations with the market operator (scénáře komunikace), as transition tables.

Each names its states, what moves it from one to the next, and the states in which it is over. `accepted` and `rejected`
are what the answer to our message of the conversation says. Documented: that a distributor states on a request of a
change of supplier, and when; the names of states and acts are ours. A statement of ours that is rejected was not made,
and what was decided stands: its repair goes on where it was.
"""

from dataclasses import dataclass
from typing import Final, NewType

Scenario = NewType("Scenario", str)

REGISTRATION: Final = Scenario("registration")
CHANGE_OF_DATA: Final = Scenario("change_of_data")
CLAIM: Final = Scenario("claim")
CLAIM_RECEIVED: Final = Scenario("claim_received")
SUPPLIER_CHANGE: Final = Scenario("supplier_change")


@dataclass(frozen=True, slots=True)
class Table:
    """A scenario: state in which it is opened, transitions by state and act, and the states that end it."""

    first: str
    transitions: dict[str, dict[str, str]]
    final: frozenset[str]


_TOLD: Final = {
    "sent": {"accepted": "done", "rejected": "rejected", "send": "sent"},
    "rejected": {"send": "sent", "accepted": "done", "rejected": "rejected"},
}

SCENARIOS: Final[dict[Scenario, Table]] = {
    REGISTRATION: Table("sent", {**_TOLD, "done": {}}, frozenset({"done"})),
    CHANGE_OF_DATA: Table("sent", {**_TOLD, "done": {}}, frozenset({"done"})),
    CLAIM: Table(
        "sent",
        {
            "sent": {
                "accepted": "delivered",
                "rejected": "rejected",
                "send": "sent",
                "recognise": "recognised",
                "turn_down": "turned_down",
            },
            "rejected": {"send": "sent", "accepted": "delivered"},
            "delivered": {"recognise": "recognised", "turn_down": "turned_down"},
            "recognised": {},
            "turned_down": {},
        },
        frozenset({"recognised", "turned_down"}),
    ),
    CLAIM_RECEIVED: Table(
        "received",
        {
            "received": {"consent": "consented", "object": "objected", "withdraw": "withdrawn"},
            "consented": {"accepted": "recognised", "rejected": "consent_rejected", "withdraw": "withdrawn"},
            "objected": {"accepted": "turned_down", "rejected": "objection_rejected", "withdraw": "withdrawn"},
            "consent_rejected": {
                "send": "consented",
                "accepted": "recognised",
                "rejected": "consent_rejected",
                "withdraw": "withdrawn",
            },
            "objection_rejected": {
                "send": "objected",
                "accepted": "turned_down",
                "rejected": "objection_rejected",
                "withdraw": "withdrawn",
            },
            "recognised": {},
            "turned_down": {},
            "withdrawn": {},
        },
        frozenset({"recognised", "turned_down", "withdrawn"}),
    ),
    SUPPLIER_CHANGE: Table(
        "asked",
        {
            "asked": {
                "consent": "consented",
                "object": "objected",
                "lapse": "stated",
                "statement": "asked",
                "withdraw": "withdrawn",
                "assign": "assigned",
            },
            "consented": {
                "accepted": "stated",
                "rejected": "consent_rejected",
                "statement": "consented",
                "withdraw": "withdrawn",
                "assign": "assigned",
            },
            "objected": {
                "accepted": "refused",
                "rejected": "objection_rejected",
                "statement": "objected",
                "withdraw": "withdrawn",
            },
            "consent_rejected": {
                "send": "consented",
                "accepted": "stated",
                "rejected": "consent_rejected",
                "lapse": "stated",
                "statement": "consent_rejected",
                "withdraw": "withdrawn",
                "assign": "assigned",
            },
            "objection_rejected": {
                "send": "objected",
                "accepted": "refused",
                "rejected": "objection_rejected",
                "lapse": "stated",
                "statement": "objection_rejected",
                "withdraw": "withdrawn",
                "assign": "assigned",
            },
            "stated": {"statement": "stated", "withdraw": "withdrawn", "assign": "assigned"},
            "assigned": {},
            "refused": {},
            "withdrawn": {},
        },
        frozenset({"assigned", "refused", "withdrawn"}),
    ),
}

OPENED_BY: Final[dict[str, Scenario]] = {
    "194": REGISTRATION, "111": CHANGE_OF_DATA, "XG1": CHANGE_OF_DATA, "XC1": CLAIM, "XG7": CLAIM,
}  # fmt: skip
"""Scenario that a message of ours opens, by its code; 111 and XG1 register where their duty says so."""
REGISTERS: Final = frozenset({"registration", "gas_registration"})
"""Why a duty arose whose 111 or XG1 registers a point."""


def problems() -> list[str]:
    """What does not fit together in the tables, one sentence each."""
    found = []
    for name, table in SCENARIOS.items():
        if table.first not in table.transitions:
            found.append(f"{name} is opened in {table.first}, which is no state of it.")
        for state, acts in table.transitions.items():
            found += [
                f"{name}: {act} leads from {state} to {after}, which is no state of it."
                for act, after in acts.items()
                if after not in table.transitions
            ]
            if (state in table.final) != (not acts):
                found.append(f"{name}: {state} is final and goes on, or is not and does not.")
    return found
