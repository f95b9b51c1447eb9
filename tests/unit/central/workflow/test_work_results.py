"""What a technician reads off a register's face, as its integer."""

import pytest

from central.platform.errors import BadInput
from central.workflow.work_results import Register

TENTHS = Register("1-0:1.8.1", "Wh", 2, "VT", None, None, None)
"""Counts in hundreds of Wh: its face shows kWh with one decimal."""


@pytest.mark.parametrize(
    ("written", "value"), [("1234,5", 12345), (" 1 234.5 ", 12345), ("0", 0), ("99999999", 999999990), ("7,0", 70)]
)
def test_what_is_read(written: str, value: int) -> None:
    assert TENTHS.read(written) == value


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("1e3", "must be digits"),
        ("1_000", "must be digits"),
        ("-5", "must be digits"),
        ("NaN", "must be digits"),
        ("\u0661\u0662", "must be digits"),
        ("9" * 40, "must be digits"),
        ("1." + "0" * 40 + "1", "must be digits"),
        ("", "must be digits"),
        ("12,34", "below its last one (0.1)"),
    ],
)
def test_what_is_no_state(written: str, said: str) -> None:
    with pytest.raises(BadInput) as refused:
        TENTHS.read(written)
    assert said in refused.value.message
