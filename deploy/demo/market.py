"""The demo's conversation with the sandbox of OTE: interval data of a month by SOAP, answers by call-back, and a
question by S/MIME mail that is answered by itself.
"""

from datetime import date
from typing import Any, Final, Protocol

import httpx

from central.market.contents import write_any
from central.market.envelope import Envelope, Participant
from central.market.format_package import package_valid_on
from central.market.payloads.requests import AskedPoint, DataRequest
from deploy.demo.plant import Plant
from deploy.demo.site import NEXT, YEAR, Metering

REQUEST: Final = "XR1"
ASKED_DAY: Final = date(YEAR, 3, 2)
"""The operator asks for this day of one point, although it was told with the month."""
OPEN_STATES: Final = ("generated", "saved", "sent", "timed_out")
TIMEOUT_S: Final = 60.0


class Api(Protocol):
    """Calls of our API as the demo makes them."""

    def get(self, path: str) -> Any:
        """The answer's JSON."""
        ...

    def post(self, path: str, body: Any) -> Any:
        """The answer's JSON."""
        ...

    def count(self, path: str) -> int:
        """How many rows an overview has."""
        ...


def converse(api: Api, plant: Plant, month: str) -> dict[str, int]:
    """Tell the month, hear the answers, let the operator ask, and answer it; what was said, counted."""
    plant.wait_for("the sandbox of OTE", lambda: _is_ready(plant), TIMEOUT_S)
    api.post(f"/v1/market/months/{month}", {})
    api.post("/v1/market/send", {})

    def states() -> dict[str, int]:
        found: dict[str, int] = api.get("/v1/market/messages")["states"]
        return found

    def are_answered(at_least: int) -> bool:
        found = states()
        return sum(found.values()) >= at_least and not any(found.get(state) for state in OPEN_STATES)

    plant.wait_for("OTE's answers", lambda: are_answered(1), TIMEOUT_S)
    told = sum(states().values())
    _ask_by_mail(plant)
    plant.wait_for("what OTE asked for by mail", lambda: are_answered(told + 1), TIMEOUT_S)
    found = states()
    came = "/v1/market/archive?direction=in&verdict=opened&limit=1&channel="
    return {
        "sent": sum(found.values()),
        "accepted": found.get("accepted", 0),
        "rejected": found.get("rejected", 0),
        "by_soap": api.count(f"{came}sandbox-soap"),
        "by_mail": api.count(f"{came}sandbox-mail"),
    }


def request_of(plant: Plant) -> bytes:
    """What the operator asks: one day of the first point of type A that is invoiced."""
    site = plant.site
    point = next(point for point in site.of(Metering.PROFILE) if point.metering_type == "A")
    package = package_valid_on(NEXT)
    envelope = Envelope(
        id=f"{REQUEST}-{point.id}",
        code=REQUEST,
        at=plant.now,
        sender=Participant(site.market_operator_ean),
        receiver=Participant(site.operator_ean),
    )
    asked = AskedPoint(opm=point.id, first_day=ASKED_DAY, last_day=ASKED_DAY)
    return write_any(package, envelope, DataRequest(locations=[asked]))


def _ask_by_mail(plant: Plant) -> None:
    reply = httpx.post(_sandbox(plant, "/bring?way=mail"), content=request_of(plant), timeout=30, trust_env=False)
    if reply.is_error:
        raise RuntimeError(f"The sandbox of OTE does not bring the question: {reply.status_code} {reply.text}")


def _is_ready(plant: Plant) -> bool:
    try:
        return httpx.get(_sandbox(plant, "/health"), timeout=5, trust_env=False).status_code == 200
    except httpx.TransportError:
        return False


def _sandbox(plant: Plant, path: str) -> str:
    return f"http://127.0.0.1:{plant.sandbox_port}{path}"
