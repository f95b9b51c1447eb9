"""The answer of completeness: sums of the map, and the form that its description promises."""

import json
from datetime import date

import numpy as np

from central.readings.completeness import CompletenessMap
from central.readings.completeness_api import CompletenessOut, told

DAYS = [date(2026, 3, day) for day in (28, 29, 30)]
DUE = np.array([[True, True, False], [True, False, False], [False, False, False]])
MAP = CompletenessMap(
    days=DAYS,
    meters=[("K1", "M1"), ("K2", "M2"), ("K2", "M3")],
    expected=np.array([[96, 92, 0], [96, 0, 0], [0, 0, 0]]),
    present=np.array([[96, 90, 0], [40, 0, 0], [0, 0, 0]]),
    replaced=np.array([[8, 0, 0], [0, 0, 0], [0, 0, 0]]),
    due=DUE,
)


def test_sums_by_day_concentrator_and_meter() -> None:
    answer = json.loads(told(MAP))
    assert (answer["expected"], answer["present"], answer["replaced"], answer["missing"]) == (284, 226, 8, 58)
    assert [(day["day"], day["expected"], day["present"]) for day in answer["days"]] == [
        ("2026-03-28", 192, 136),
        ("2026-03-29", 92, 90),
    ], "a day on which nothing is due is left out"
    assert [(each["concentrator"], each["missing"]) for each in answer["concentrators"]] == [("K1", 2), ("K2", 56)]
    assert [(each["meter"], each["expected_by_day"], each["present_by_day"]) for each in answer["meters"]] == [
        ("M1", [96, 92], [96, 90]),
        ("M2", [96, -1], [40, -1]),
    ]


def test_the_answer_has_the_form_that_is_described() -> None:
    answer = told(MAP)
    assert CompletenessOut.model_validate_json(answer).model_dump(mode="json") == json.loads(answer)
