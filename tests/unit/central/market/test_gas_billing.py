"""GP6: the arithmetic of gas distribution billing as worked examples, and both spellings of what is received."""

from datetime import timedelta
from decimal import Decimal, localcontext
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from central.market.contents import problems_of, read_any, write_any
from central.market.errors import InboundError, OutboundError
from central.market.format_package import load_package
from central.market.payloads.exact import EXACT, product_fits
from central.market.payloads.gas_billing import GasBilling, GasBillings
from central.market.payloads.gas_billing_rules import follows, problems
from central.market.payloads.gas_lines import lines_of, priced_lines
from tests.unit.central.market.content_examples import PAYLOADS, envelope_of
from tests.unit.central.market.gas_examples import BEGIN, BILLED_AB, BILLED_C, CANCELLED, CHANGE, END, FIRST_GAS_DAY

D = Decimal
PACKAGE = load_package("sandbox-2026")
GP6 = (PACKAGE.folder / "sandbox" / "samples" / "GP6.xml").read_bytes()
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def with_(record: Any, field: str, *places: int, **changes: Any) -> Any:
    """The record with changes in one of the records of its list `field`, or of lists within."""
    held = list(getattr(record, field))
    held[places[0]] = replace(held[places[0]], **changes)
    return replace(record, **{field: held})


VOLUMES = BILLED_C.meters_c[0].volumes
METERED = BILLED_AB.meters[0].days


@pytest.mark.parametrize(
    ("document", "sentence"),
    [
        (BILLED_C, None),
        (BILLED_AB, None),
        (CANCELLED, None),
        (replace(BILLED_C, segment="cancel", concerns="1", net=-BILLED_C.net, gross=None), None),
        (replace(BILLED_C, number=None), None),
        (replace(BILLED_C, meters_c=[]), None),
        (replace(BILLED_C, gross=BILLED_C.net), None),
        (
            replace(BILLED_C, number=None, document="P-1", net=D(1)),
            "The gas document P-1 of 27ZG600Z0012345N has lines",
        ),
        (replace(BILLED_C, net=D("7200.92")), "has lines of 7200.91 CZK in all, its total (priceTotal) says 7200.92"),
        (replace(BILLED_AB, net=D("26873.80")), "lines of 26873.79 CZK in all"),
        (replace(BILLED_C, gross=D(7000)), "has 7000 CZK with VAT, less than 7200.91 CZK without"),
        (replace(BILLED_C, end=BEGIN), "not after its begin"),
        (replace(BILLED_C, correction_reason="network_error"), "does not say which (SCNumber)"),
        (replace(BILLED_C, concerns="2026000031"), "corrects itself"),
        (replace(BILLED_C, agreed=BILLED_AB.agreed), "a body of metering C and one of A or B"),
        (replace(CANCELLED, segment="regular", concerns="1"), "has no body"),
        (with_(BILLED_C, "distributed", 1, start=CHANGE - HOUR), "overlaps the one from"),
        (with_(BILLED_C, "distributed", 1, end=END + HOUR), "reaches beyond"),
        (with_(BILLED_C, "distributed", 0, energy_kwh=D(12499)), "distributes 19147 kWh, its meters show 19.141 MWh"),
        (
            with_(BILLED_C, "meters_c", 0, volumes=[replace(VOLUMES[0], energy_mwh=D("12.593")), VOLUMES[1]]),
            "1210 m3 x 0.9703 x 10.6412 kWh/m3 is not 12.593 MWh",
        ),
        (
            with_(BILLED_AB, "meters", 0, days=[replace(METERED[0], energy_kwh=D("2993.48")), METERED[1]]),
            "276 m3 x 10.6649 kWh/m3 is not 2993.48 kWh (sumGas)",
        ),
        (
            with_(BILLED_AB, "meters", 0, days=[replace(METERED[0], energy_kwh=D("2943.58")), METERED[1]]),
            "has 2943.48 kWh on 2018-01-01T06:00:00+01:00, its meters show 2943.58 kWh",
        ),
        (with_(BILLED_AB, "meters", 0, days=[METERED[0], METERED[0]]), "the same gas day twice"),
        (with_(BILLED_AB, "meters", 0, days=[replace(METERED[0], day=FIRST_GAS_DAY + HOUR)]), "6:00 in Prague"),
        (with_(BILLED_AB, "meters", 0, days=[replace(METERED[0], day=FIRST_GAS_DAY - DAY)]), "outside"),
        (with_(BILLED_AB, "agreed", 0, effect_percent=D("83.3333")), "which is not 83.3333 %"),
    ],
)
def test_documents(document: GasBilling, sentence: str | None) -> None:
    found = problems(GasBillings(documents=[document]))
    assert (found == []) if sentence is None else any(sentence in one for one in found), found


def test_every_line_is_rounded_by_the_documented_formulas() -> None:
    c = [D("734.28"), D("871.20"), D("3550.39"), D("27.11"), D("2002.71"), D("15.22")]
    ab = [D("25146.10"), D("1624.83"), D("89.72"), D("13.14")]
    assert (lines_of(BILLED_C), lines_of(BILLED_AB)) == (c, ab)


def test_lines_by_day_give_the_total_as_well() -> None:
    by_day = D("25146.10") + D("1624.83") + D("43.62") + D("6.39") + D("46.09") + D("6.75")
    assert by_day != BILLED_AB.net
    document = replace(BILLED_AB, net=by_day)
    assert problems(GasBillings(documents=[document])) == []
    told = [(line.field, line.quantity, line.amount) for line in priced_lines(document)]
    assert told[2:] == [
        ("DistributionSum.UnitPrice", line.quantity, D("43.62") + D("46.09")) if place == 0 else
        ("DistributionSum.MOSettlementUnitPrice", line.quantity, D("6.39") + D("6.75"))
        for place, line in enumerate(priced_lines(BILLED_AB)[2:])
    ]  # fmt: skip
    assert sum(line.amount for line in priced_lines(document)) == by_day


def test_a_capacity_for_days_of_its_own_is_of_those_days() -> None:
    usual, own = BILLED_AB, with_(BILLED_AB, "agreed", 0, start=BILLED_AB.start + DAY, end=BILLED_AB.end - HOUR)
    spans = [[(line.start, line.end) for line in priced_lines(each)[:2]] for each in (usual, own)]
    assert spans == [[(usual.start, usual.end)] * 2, [(usual.start + DAY, usual.end - HOUR)] * 2]


@pytest.mark.parametrize(
    ("said", "factors", "exact", "is_right"),
    [
        # 1.5 is 1.45 to 1.55, so twice that is 2.9 to 3.1; what is said may have been rounded as well
        (D("3.1"), (D("1.5"), D(2)), 1, True),
        (D("2.9"), (D("1.5"), D(2)), 1, True),
        (D("3.2"), (D("1.5"), D(2)), 1, False),
        (D("2.8"), (D("1.5"), D(2)), 1, False),
        (D(3), (D("2.5"),), 1, True),
        (D(2), (D("2.5"),), 1, True),
        (D("-3.1"), (D("-1.5"), D(2)), 1, True),
        (D("3.1"), (D("-1.5"), D(2)), 1, False),
        (D("-3.1"), (D("1.5"), D(2)), 1, False),
        # no whole cubic metre, and a little energy of it
        (D("0.4"), (D(0), D(1)), 1, True),
        (D("0.6"), (D(0), D(1)), 1, False),
        (D(0), (D("-0.1"), D(2)), 1, True),
    ],
)
def test_a_product_of_rounded_values(said: Decimal, factors: tuple[Decimal, ...], exact: int, is_right: bool) -> None:
    with localcontext(EXACT):
        assert product_fits(said, *factors, exact=exact) is is_right


@pytest.mark.parametrize(
    ("changes", "is_right"),
    [
        ({}, True),
        ({"start": END + DAY}, False),
        ({"start": END - DAY}, False),
        ({"start": END + DAY, "correction_reason": "claim", "concerns": "1"}, True),
        ({"start": END + DAY, "segment": "cancel", "concerns": "1"}, True),
        ({"start": END + DAY, "cancelled": True}, True),
        ({"start": END + DAY, "segment": "historic"}, True),
    ],
)
def test_documents_follow_each_other(changes: dict[str, Any], is_right: bool) -> None:
    empty: dict[str, Any] = {"distributed": [], "meters_c": [], "agreed_c": [], "net": D(0), "gross": None}
    after = replace(BILLED_C, **empty, number="2027000001", **{"start": END, "end": END + 90 * DAY} | changes)
    told = [one for one in problems(GasBillings(documents=[after, BILLED_C])) if "do not follow" in one]
    assert follows(BILLED_C, after) is is_right
    assert bool(told) is not is_right


@given(
    volume=st.integers(0, 10**6), factor=st.integers(9000, 11000), heat=st.integers(90000, 120000),
    price=st.integers(0, 10**6), operator=st.integers(0, 10**4), yearly=st.integers(0, 10**8),
)  # fmt: skip
def test_what_is_calculated_by_the_formulas_is_right_and_a_cent_more_is_not(
    volume: int, factor: int, heat: int, price: int, operator: int, yearly: int
) -> None:
    one = replace(VOLUMES[0], volume_m3=D(volume), factor=D(factor).scaleb(-4), calorific_value=D(heat).scaleb(-4))
    energy = (one.volume_m3 * one.factor * one.calorific_value / 1000).quantize(D("0.001"))
    document = replace(
        BILLED_C,
        gross=None,
        meters_c=[replace(BILLED_C.meters_c[0], volumes=[replace(one, energy_mwh=energy)])],
        distributed=[
            replace(
                BILLED_C.distributed[0],
                energy_kwh=energy.scaleb(3),
                unit_price=D(price).scaleb(-5),
                operator_price=D(operator).scaleb(-5),
            )
        ],
        agreed_c=[],
        agreed=[],
        yearly_kwh=D(yearly),
    )
    right = replace(document, net=sum(lines_of(document), D(0)))
    assert problems(GasBillings(documents=[right])) == []
    assert problems(GasBillings(documents=[replace(right, net=right.net + D("0.01"))])) != []


def test_both_spellings_and_any_container_are_read() -> None:
    other = GP6.replace(b"flueGasHead", b"spelled").replace(b"flueGasHeat", b"flueGasHead")
    other = other.replace(b"spelled", b"flueGasHeat").replace(b'segment="EXI"', b'segment="EXT"')
    other = other.replace(b'corReason="02"', b'corReason="2"').replace(b'cancelled="true"', b'cancelled=""')
    for ours in (b"DistributionSum", b"MeterC", b"ConsumptionC", b"PaymentC", b"Reading", b"GasDay", b"Capacity"):
        for end in (b" ", b">"):
            other = other.replace(b"<" + ours + end, b"<item" + end).replace(b"</" + ours + b">", b"</item>")
    assert other.count(b"<item") == 11
    read = read_any(PACKAGE, other)
    assert (read.payload, read.unknown, problems_of(read)) == (PAYLOADS["GP6"], {}, [])


@pytest.mark.parametrize("other", [b'flueGasHeat="%s" flueGasHead="%s"', b'flueGasHead="%s" flueGasHeat="%s"'])
def test_both_spellings_at_once_are_read_only_if_they_say_the_same(other: bytes) -> None:
    head = b'flueGasHead="10.6412"'
    assert head in GP6
    same = read_any(PACKAGE, GP6.replace(head, other % (b"10.6412", b"10.64120"), 1))
    assert (same.payload, same.unknown) == (PAYLOADS["GP6"], {})
    with pytest.raises(InboundError, match="stands there with another value in another spelling"):
        read_any(PACKAGE, GP6.replace(head, other % (b"10.6412", b"10.6413"), 1))


def test_it_is_written_with_the_documented_spelling_and_local_time() -> None:
    assert GP6.count(b"flueGasHead=") == GP6.count(b"flueGasHeat=") == 2
    assert b'gasDay="2018-01-01T06:00:00+01:00" reductionConsumption="276"' in GP6
    assert b'from="2025-07-01T06:00:00+02:00"' in GP6


@pytest.mark.parametrize("text", [b"false", b"0"])
def test_a_flag_that_stands_and_says_no_is_refused(text: bytes) -> None:
    with pytest.raises(InboundError, match="means yes by standing there"):
        read_any(PACKAGE, GP6.replace(b'cancelled="true"', b'cancelled="' + text + b'"'))


def test_what_does_not_add_up_never_leaves() -> None:
    wrong = GasBillings(documents=[replace(BILLED_C, net=D(1))])
    with pytest.raises(OutboundError, match="its total \\(priceTotal\\) says 1"):
        write_any(PACKAGE, envelope_of(PACKAGE, "GP6"), wrong)
    with pytest.raises(OutboundError, match="true or nothing"):
        no = msgspec.structs.replace(CANCELLED, cancelled=False)
        write_any(PACKAGE, envelope_of(PACKAGE, "GP6"), GasBillings(documents=[no]))
