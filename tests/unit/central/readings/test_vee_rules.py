"""Rules of the validation, each with examples: what is found, what is let pass, and the numbers that were compared."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import numpy as np
import pytest

from central.readings.calendar import date_of
from central.readings.method import Method
from central.readings.vee.inputs import DRIFT, EXEMPT, HISTORY, HISTORY_DAYS, LIMITS, History, Limits
from central.readings.vee.rule import Findings, Rule, Severity
from central.readings.vee.rules import INPUTS, RULES
from central.readings.vee.stage import judge
from central.readings.vee.testing import make_chunk
from shared.quantities import MISSING_VALUE, Commodity, Quality

GONE = MISSING_VALUE
USUAL = [100 + (place * 7) % 13 for place in range(96)]
RULE = {rule.name: rule for rule in RULES}


def found(rule: str, *rows: Sequence[int], **given: Any) -> Findings:
    """What a rule finds in these channels."""
    return RULE[rule].judge(make_chunk(RULE[rule], rows, **given))


def spans(findings: Findings) -> list[tuple[int, str, int, int]]:
    """Channel, day, first and last interval."""
    days = [date_of(number).isoformat() for number in findings.day.tolist()]
    return list(zip(findings.channel.tolist(), days, findings.first.tolist(), findings.last.tolist(), strict=True))


def with_values(places: dict[int, int], usual: Sequence[int] = USUAL) -> list[int]:
    values = list(usual)
    for place, value in places.items():
        values[place] = value
    return values


def history(total: int, peak: int, days: int = 30) -> History:
    """The same day again and again before the chunk."""
    some = History.none(1)
    some.total[:, :], some.peak[:, :] = total, peak
    some.known[:, some.days - days :] = True
    return some


def bounds(**kilowatts: list[list[float]]) -> Limits:
    """Limits by channel and day; what is not named is not known."""
    (shape,) = {np.shape(given) for given in kilowatts.values()}
    nothing = dict.fromkeys(("breaker_kw", "input_kw", "day_m3", "transformer_kw"), np.full(shape, np.nan))
    return Limits(**{**nothing, **{name: np.array(given) for name, given in kilowatts.items()}})


def test_every_input_that_a_rule_names_can_be_read_and_names_are_unique() -> None:
    assert {name for rule in RULES for name in rule.inputs} <= {each.name for each in INPUTS}
    assert len({rule.name for rule in RULES}) == len(RULES)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_an_ordinary_day_gives_no_finding(rule: Rule) -> None:
    if rule.kind == "interval":
        chunk = make_chunk(rule, [USUAL * 2, USUAL * 2], directions=["A+", "R+"], points=["P", "P"])
        assert judge(chunk, [rule]) == []


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
@pytest.mark.parametrize(
    ("commodity", "day", "length"),
    [
        (Commodity.ELECTRICITY, date(2026, 3, 29), 92),
        (Commodity.ELECTRICITY, date(2026, 10, 25), 100),
        (Commodity.GAS, date(2026, 3, 28), 23),
        (Commodity.GAS, date(2026, 10, 24), 25),
    ],
    ids=["92", "100", "23", "25"],
)
def test_days_of_another_length_are_judged_alike(rule: Rule, commodity: Commodity, day: date, length: int) -> None:
    if rule.kind == "interval":
        usual = 96 if commodity is Commodity.ELECTRICITY else 24
        chunk = make_chunk(rule, [USUAL[:usual] + (USUAL * 2)[:length]], day - timedelta(days=1), commodity=commodity)
        assert judge(chunk, [rule]) == []


class TestMissing:
    def test_a_gap_is_an_error_with_its_range(self) -> None:
        findings = found("missing", with_values({10: GONE, 11: GONE, 40: GONE}))
        assert spans(findings) == [(1, "2026-03-02", 10, 40)]
        assert findings.severity.tolist() == [Severity.ERROR]
        assert findings.evidence[0] == {"expected": 96, "missing": 3, "estimated": 0}

    def test_what_was_estimated_since_is_information(self) -> None:
        findings = found("missing", USUAL, quality={(0, 5): Quality.SUBSTITUTE}, method={(0, 5): int(Method.LINEAR)})
        assert findings.severity.tolist() == [Severity.INFO]
        assert findings.evidence[0]["estimated"] == 1

    def test_what_a_person_entered_is_not_missing(self) -> None:
        findings = found("missing", USUAL, quality={(0, 5): Quality.EDITED}, method={(0, 5): int(Method.MANUAL)})
        assert len(findings) == 0


class TestNegative:
    def test_below_zero(self) -> None:
        findings = found("negative", with_values({3: -1, 9: -40}))
        assert spans(findings) == [(1, "2026-03-02", 3, 9)]
        assert findings.measured.tolist() == [-40]

    def test_a_channel_that_nets_may_be_negative(self) -> None:
        assert len(found("negative", with_values({3: -1}), parameters={"least": None})) == 0

    def test_missing_is_not_negative(self) -> None:
        assert len(found("negative", with_values({3: GONE}))) == 0


class TestFormula:
    def test_what_a_formula_made_of_measured_values_is_not_missing(self) -> None:
        computed = {(0, place): int(Method.FORMULA) for place in range(96)}
        assert len(found("missing", USUAL, method=computed)) == 0
        assert len(found("negative", with_values({3: -1}), method=computed)) == 1

    def test_what_it_made_of_estimates_is(self) -> None:
        computed = {(0, place): int(Method.FORMULA) for place in range(96)}
        findings = found("missing", USUAL, method=computed, quality={(0, 5): Quality.ESTIMATED})
        assert (findings.measured.tolist(), findings.severity.tolist()) == ([1], [Severity.INFO])


class TestOverflow:
    @pytest.mark.parametrize(("value", "count"), [(655_350, 1), (655_340, 0)])
    def test_the_recorders_maximum_times_the_constant(self, value: int, count: int) -> None:
        """16 bits, constant 10: 65535 x 10."""
        findings = found("overflow", with_values({7: value}), factor=10, parameters={"bits": 16})
        assert len(findings) == count


class TestZero:
    def test_three_days_without_use(self) -> None:
        findings = found("zero", USUAL + [0] * 4 * 96)
        assert [day for _, day, _, _ in spans(findings)] == ["2026-03-05", "2026-03-06"]
        assert findings.measured.tolist() == [3, 4]

    def test_history_counts(self) -> None:
        assert found("zero", [0] * 96, inputs={HISTORY: history(0, 0)}).measured.tolist() == [31]

    def test_known_idle_or_an_outage_is_a_reason(self) -> None:
        exempt = np.zeros((1, HISTORY_DAYS + 4), np.bool_)
        exempt[0, -2:] = True
        assert len(found("zero", [0] * 4 * 96, inputs={EXEMPT: exempt})) == 0

    def test_days_that_had_a_reason_do_not_count_afterwards(self) -> None:
        """Whether they lie in the chunk or in the history: a run begins after the reason."""
        exempt = np.ones((1, HISTORY_DAYS + 1), np.bool_)
        exempt[0, -3:] = False
        inputs = {HISTORY: history(0, 0), EXEMPT: exempt}
        assert found("zero", [0] * 96, inputs=inputs).measured.tolist() == [3]
        exempt[0, -3] = True
        assert len(found("zero", [0] * 96, inputs=inputs)) == 0

    def test_an_incomplete_day_says_nothing(self) -> None:
        assert len(found("zero", [0] * 2 * 96 + [GONE] + [0] * 95)) == 0


class TestFrozen:
    @pytest.mark.parametrize(("intervals", "count"), [(3, 1), (2, 0)])
    def test_three_equal_values(self, intervals: int, count: int) -> None:
        """N = 3, the example of waymark's rule card."""
        values = with_values(dict.fromkeys(range(50, 50 + intervals), 777))
        findings = found("frozen", values, parameters={"intervals": 3})
        assert len(findings) == count
        if count:
            assert spans(findings) == [(1, "2026-03-02", 50, 52)]
            assert findings.evidence[0] == {"intervals": 3, "value": 777}

    def test_zeros_are_another_rules(self) -> None:
        assert len(found("frozen", [0] * 96)) == 0

    def test_a_run_across_midnight_belongs_to_the_day_on_which_it_is_too_long(self) -> None:
        values = with_values(dict.fromkeys(range(90, 96), 5)) + with_values(dict.fromkeys(range(4), 5))
        findings = found("frozen", values, parameters={"intervals": 8})
        assert spans(findings) == [(1, "2026-03-03", 0, 3)]
        assert findings.measured.tolist() == [10]

    def test_an_estimate_may_be_flat(self) -> None:
        places = range(50, 60)
        findings = found(
            "frozen",
            with_values(dict.fromkeys(places, 5)),
            quality={(0, place): Quality.SUBSTITUTE for place in places},
        )
        assert len(findings) == 0


class TestSpike:
    @pytest.mark.parametrize(("highest", "count"), [(2801, 1), (2800, 0)])
    def test_highest_over_third_highest(self, highest: int, count: int) -> None:
        """California's 180 %: (P1 - P3) / P3 with P3 = 1000."""
        findings = found("spike", with_values({20: highest, 21: 1500, 60: 1000}), parameters={"ratio": 1.8})
        assert len(findings) == count
        if count:
            assert spans(findings) == [(1, "2026-03-02", 20, 20)]
            assert findings.evidence[0] == {"highest": 2801, "third_highest": 1000}
            assert findings.measured[0] == pytest.approx(1.801)

    def test_not_below_the_floor(self) -> None:
        assert len(found("spike", with_values({20: 900}))) == 0

    def test_the_floor_is_in_base_units(self) -> None:
        assert len(found("spike", with_values({20: 900}), exponent=1)) == 1

    def test_a_third_highest_of_zero_has_no_ratio(self) -> None:
        findings = found("spike", [0] * 95 + [5000])
        assert len(findings) == 1 and np.isinf(findings.measured[0])


class TestJump:
    def test_against_the_last_value_that_is_there(self) -> None:
        findings = found("jump", with_values({29: 100, 30: GONE, 31: GONE, 32: 9000}), parameters={"ratio": 80})
        assert spans(findings) == [(1, "2026-03-02", 32, 32)]
        assert findings.measured.tolist() == [89]

    def test_from_midnight_to_midnight(self) -> None:
        values = with_values({95: 100}) + with_values({0: 9000})
        assert spans(found("jump", values)) == [(1, "2026-03-03", 0, 0)]

    @pytest.mark.parametrize(("value", "count"), [(7_500, 0), (7_501, 1), (2_000, 0)])
    def test_a_ratio_below_one(self, value: int, count: int) -> None:
        values = [5_000] * 32 + [value] * 64
        assert len(found("jump", values, parameters={"ratio": 0.5, "floor": 0})) == count

    def test_from_zero_there_is_no_ratio(self) -> None:
        assert len(found("jump", with_values({31: 0, 32: 9000}))) == 0


class TestPhysicalMaximum:
    @pytest.mark.parametrize(("value", "severity"), [(4312, None), (4313, Severity.WARNING), (5176, Severity.ERROR)])
    def test_a_breaker_of_three_times_25_amperes(self, value: int, severity: Severity | None) -> None:
        """3 x 25 A x 230 V = 17.25 kW, in a quarter-hour 4312.5 Wh; above 120 % an error."""
        limits = bounds(breaker_kw=[[17.25]])
        findings = found("physical_maximum", with_values({8: value}), inputs={LIMITS: limits})
        assert findings.severity.tolist() == ([] if severity is None else [severity])

    def test_a_breaker_holds_from_its_day_on(self) -> None:
        """3 x 25 A until the second day, 3 x 40 A from then on: 5,000 Wh is too much on the first only."""
        limits = bounds(breaker_kw=[[17.25, 27.6]])
        findings = found("physical_maximum", with_values({8: 5_000}) * 2, inputs={LIMITS: limits})
        assert spans(findings) == [(1, "2026-03-02", 8, 8)]

    @pytest.mark.parametrize(("value", "count"), [(25_980, 0), (25_981, 1)])
    def test_current_transformers_bound_a_point_without_a_breaker(self, value: int, count: int) -> None:
        """150/5 A in three phases at 400 V: 3 x 150 x 230.94 = 103.92 kW, below the reserved input of 120 kW."""
        limits = bounds(input_kw=[[120.0]], transformer_kw=[[103.923]])
        assert len(found("physical_maximum", with_values({8: value}), inputs={LIMITS: limits})) == count

    def test_reserved_input_bounds_what_is_taken_only(self) -> None:
        limits = bounds(input_kw=[[100.0], [100.0]])
        high = with_values({8: 25_001})
        findings = found(
            "physical_maximum", high, high, directions=["A+", "A-"], points=["P", "P"], inputs={LIMITS: limits}
        )
        assert findings.channel.tolist() == [1]
        assert findings.limit.tolist() == [25_000]


class TestHistory:
    @pytest.mark.parametrize(("factor", "count"), [(2.6, 1), (2.4, 0), (0.19, 1), (0.21, 0)])
    def test_the_days_use_against_the_mean_before(self, factor: float, count: int) -> None:
        day = [int(1000 * factor)] * 96
        findings = found("high_low", day, inputs={HISTORY: history(96_000, 1000)})
        assert len(findings) == count

    def test_days_of_the_chunk_are_history_of_those_after_them(self) -> None:
        values = [100] * 96 * 8 + [1000] * 96
        findings = found("high_low", values)
        assert spans(findings) == [(1, "2026-03-10", 0, 95)]
        assert findings.evidence[0] == {"total": 96_000, "mean_before": 9600.0, "days_before": 8}

    def test_too_few_days_before(self) -> None:
        assert len(found("high_low", [9000] * 96, inputs={HISTORY: history(96_000, 1000, days=6)})) == 0

    @pytest.mark.parametrize(("peak", "count"), [(2001, 1), (2000, 0)])
    def test_the_highest_against_the_highest_before(self, peak: int, count: int) -> None:
        findings = found("historical_maximum", with_values({70: peak}), inputs={HISTORY: history(9600, 1000)})
        assert [(first, last) for _, _, first, last in spans(findings)] == [(70, 70)] * count


class TestClockDrift:
    @pytest.mark.parametrize(("seconds", "severity"), [(180, None), (181, Severity.WARNING), (901, Severity.ERROR)])
    def test_three_minutes_warn_an_interval_fails(self, seconds: float, severity: Severity | None) -> None:
        findings = found("clock_drift", USUAL, inputs={DRIFT: np.array([[float(seconds)]])})
        assert findings.severity.tolist() == ([] if severity is None else [severity])


class TestSiblings:
    def test_a_channel_silent_beside_another_of_its_point(self) -> None:
        findings = found("sibling", USUAL, [GONE] * 96, [GONE] * 96, points=["P", "P", "Q"])
        assert spans(findings) == [(2, "2026-03-02", 0, 95)]

    def test_reactive_energy_without_active(self) -> None:
        active = with_values({4: 0, 5: 0, 6: 0})
        reactive = with_values({6: 0})
        findings = found(
            "reactive_without_active", active, reactive, reactive, directions=["A+", "R+", "R+"], points=["P", "P", "Q"]
        )
        assert spans(findings) == [(2, "2026-03-02", 4, 5)]
        assert findings.measured.tolist() == [2]

    def test_what_the_point_gives_is_active_energy_too(self) -> None:
        none = [0] * 96
        findings = found(
            "reactive_without_active", none, USUAL, USUAL, directions=["A+", "A-", "R-"], points=["P", "P", "P"]
        )
        assert len(findings) == 0


def test_only_days_to_judge_are_judged() -> None:
    rule = RULE["missing"]
    chunk = make_chunk(rule, [[GONE] * 192])
    judged = replace(chunk, target=np.array([[False, True]]))
    assert [day for _, day, _, _ in spans(rule.judge(judged))] == ["2026-03-03"]
