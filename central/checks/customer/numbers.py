"""The numbers of customer checks, which those of a release never reach."""

from typing import Final

FIRST_NUMBER: Final = 100_001
"""Of declared checks, which are numbered as they come."""
FIRST_OF_CODE: Final = 200_001
"""Of checks in Python, which bring their numbers along."""
END_OF_NUMBERS: Final = 300_000
