"""Gas points, requests and answers: one broken rule, one sentence; a query is answered by the gas answer."""

from datetime import date
from typing import Any

import pytest
from msgspec.structs import replace

from central.market.contents import problems_of, read_any, write_any
from central.market.errors import InboundError, OutboundError
from central.market.format_package import load_package
from central.market.payloads.gas_master_data import (
    GasConsumption,
    GasMasterData,
    GasMetering,
    GasPointData,
    GasSuspension,
    problems,
)
from central.market.payloads.gas_requests import GasRequest
from central.market.response import Response, verdict
from central.market.sandbox.judge import judge
from central.market.sandbox.scenario import Scenario
from tests.unit.central.market.content_examples import PAYLOADS, envelope_of, payload_of
from tests.unit.central.market.gas_examples import (
    ASKED,
    FIRST,
    GAS_POINT,
    GAS_POINT_DATA,
    GAS_RESERVED,
    GAS_SUSPENDED,
    LAST,
)

PACKAGE = load_package("sandbox-2026")


@pytest.mark.parametrize(
    ("point", "changes", "sentence"),
    [
        (GAS_POINT_DATA, {}, None),
        (GAS_RESERVED, {}, None),
        (GAS_SUSPENDED, {}, None),
        (GAS_POINT_DATA, {"action": "cancel", "network": None, "metering": None, "consumption": None}, None),
        (GAS_POINT_DATA, {"metering": GasMetering(kind="CM")}, None),
        (GAS_POINT_DATA, {"network": None, "consumption": None}, "has no network, no consumption"),
        (GAS_POINT_DATA, {"metering": GasMetering(kind="B")}, "type B and has no reserved daily capacity"),
        (GAS_RESERVED, {"metering": GasMetering(kind="C")}, "no load-profile class, no planned annual consumption"),
        (
            GAS_POINT_DATA,
            {"consumption": GasConsumption(category="MO", tdd_class="MO1", planned_annual_kwh=-1)},
            "consumption of -1 kWh",
        ),
        (GAS_POINT_DATA, {"last_day": date(2026, 2, 1)}, "ends on 2026-02-01 before it begins"),
        (GAS_SUSPENDED, {"suspensions": []}, "no days of a suspension"),
        (GAS_SUSPENDED, {"suspensions": [GasSuspension(first_day=LAST)]}, "without the reading of its begin"),
        (GAS_SUSPENDED, {"consumption": GAS_POINT_DATA.consumption}, "consumption of 19141 kWh, expected 0"),
        (
            GAS_POINT_DATA,
            {"suspensions": [GasSuspension(first_day=FIRST), GasSuspension(first_day=LAST)]},
            "from 2026-03-31 overlaps the one from 2026-03-01",
        ),
    ],
)
def test_registration(point: GasPointData, changes: dict[str, Any], sentence: str | None) -> None:
    found = problems(GasMasterData(points=[replace(point, **changes)]))
    assert (found == []) if sentence is None else any(sentence in one for one in found), found


def test_a_point_stands_once_with_an_action() -> None:
    assert problems(GasMasterData(points=[GAS_POINT_DATA, GAS_POINT_DATA])) == [
        f"The gas supply point {GAS_POINT} stands 2 times with the action register from 2026-03-01."
    ]


def test_the_documented_query_is_answered_by_the_documented_code() -> None:
    asked = PACKAGE.message("GO7")
    assert (asked.format, asked.answer_code, asked.mark) == ("CDSEDIGASREQ", "GO8", "documented")
    content = write_any(PACKAGE, envelope_of(PACKAGE, "GO8"), payload_of(PACKAGE, "GO8"))
    assert b'<GASRESPONSE xmlns="http://www.ote-cr.cz/schema/gas/response"' in content
    answer = read_any(PACKAGE, content).payload
    assert isinstance(answer, Response)
    assert (answer.envelope.references, verdict(PACKAGE, answer.reasons)) == (("GO7-1",), "accepted")


def test_days_that_run_backward_and_a_wrong_check_character_never_leave() -> None:
    backward = GasRequest(locations=[replace(ASKED, last_day=date(2026, 2, 1))])
    with pytest.raises(OutboundError, match="ends on 2026-02-01 before it begins"):
        write_any(PACKAGE, envelope_of(PACKAGE, "GO7"), backward)
    with pytest.raises(OutboundError, match="right check character"):
        write_any(PACKAGE, envelope_of(PACKAGE, "GO7"), GasRequest(locations=[replace(ASKED, opm="27ZG600Z0012345A")]))


def test_the_sandbox_knows_a_wrong_eic() -> None:
    sent = write_any(PACKAGE, envelope_of(PACKAGE, "GO7"), PAYLOADS["GO7"])
    wrong = sent.replace(GAS_POINT.encode(), b"27ZG600Z0012345A")
    assert [reason.code for reason in judge(PACKAGE, sent, Scenario()).reasons] == ["0200"]
    assert [reason.code for reason in judge(PACKAGE, wrong, Scenario()).reasons] == ["S110"]


def test_a_broken_rule_is_read_and_told() -> None:
    content = write_any(PACKAGE, envelope_of(PACKAGE, "XG1"), PAYLOADS["XG1"]).replace(b' reading="10233.4"', b"")
    assert problems_of(read_any(PACKAGE, content)) == [
        f"The gas supply point {GAS_POINT} is to be suspended from 2026-03-31 without the reading of its begin."
    ]
    with pytest.raises(InboundError, match="code list gas_pressure"):
        read_any(PACKAGE, content.replace(b'pressure-level="STL"', b'pressure-level="XTL"'))
