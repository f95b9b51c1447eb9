"""Tariff statistics: rows by rate sum to the total, what is taken back counts no more."""

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from central.workflow.reports import cells as rules
from central.workflow.reports.definition import require_newest
from central.workflow.reports.tariffs import Billed, statistics

D = Decimal
FORM = require_newest("tariff_statistics")
COMPONENTS = FORM.definition.settings["components"]
RATES = FORM.definition.settings["rates"]


def filled(points: dict[str | None, int], billed: list[Billed]) -> dict[rules.Key, rules.Cell]:
    return rules.fill(FORM, rules.empty(FORM), statistics(points, billed, COMPONENTS, RATES))


def test_a_small_network_by_hand() -> None:
    cells = filled(
        {"D25d": 2, "VN": 1, "X99d": 1, None: 1},
        [
            # 1.5 MWh billed, 0.5 of it taken back and billed again as 0.4: the sums come like that from the database
            Billed("D25d", "energy_vt", D("1.4"), D("2800.10"), 3, 0),
            Billed("D25d", "energy_nt", D("0.6"), D("90.00"), 1, 2),
            Billed("D25d", "breaker", D(12), D("1200.00"), 12, 0),
            Billed("VN", "use_of_networks", D("90.077"), D("9567.98"), 1, 0),
            Billed("X99d", "energy_jt", D(1), D(100), 1, 0),
        ],
    )
    values = {key: cell.value for key, cell in cells.items()}
    assert [values["D25d", column] for column in ("points", "vt", "nt", "energy", "amount")] == [
        D(2), D("1.4"), D("0.6"), D(2), D("4090.10"),
    ]  # fmt: skip
    assert [values["VN", column] for column in ("points", "energy", "amount")] == [D(1), D("90.077"), D("9567.98")]
    assert [values["other", column] for column in ("points", "vt", "energy", "amount")] == [D(2), D(1), D(1), D(100)]
    assert [values["total", column] for column in ("points", "vt", "nt", "energy", "amount")] == [
        D(5), D("2.4"), D("0.6"), D("93.077"), D("13758.08"),
    ]  # fmt: skip
    assert values["C01d", "points"] == D(0)
    assert ("VN", "vt") not in values, "a level has no tariffs"
    assert cells["D25d", "nt"].text == "1 billing bases of D25d; 2 more are not approved and not counted"
    assert cells["D25d", "vt"].text == "3 billing bases of D25d"
    assert cells["VN", "amount"].text == "1 billing bases of VN"
    assert cells["other", "nt"].text.startswith("nothing was found")
    assert rules.lacking(FORM, cells) == []


@given(
    st.dictionaries(st.sampled_from([*RATES, "Z00d", None]), st.integers(0, 10**6)),
    st.lists(
        st.builds(
            Billed,
            rate=st.sampled_from([*RATES, "Z00d", None]),
            component=st.sampled_from(["energy_vt", "energy_nt", "energy_jt", "use_of_networks", "breaker"]),
            quantity=st.decimals(-(10**6), 10**6, places=3),
            amount=st.decimals(-(10**6), 10**6, places=2),
            lines=st.integers(1, 9),
            waiting=st.just(0),
        ),
        max_size=30,
    ),
)
def test_rows_sum_to_the_total_and_nothing_is_lost(points: dict[str | None, int], billed: list[Billed]) -> None:
    cells = filled(points, billed)
    assert cells["total", "points"].value == sum(points.values())
    assert cells["total", "amount"].value == sum((each.amount for each in billed), D(0))
    energy = [each.quantity for each in billed if each.component in COMPONENTS["energy"]]
    assert cells["total", "energy"].value == sum(energy, D(0))
