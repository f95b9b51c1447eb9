"""The clock of central: the system's, or the shared one that a demo or a test runs for all processes."""

from functools import lru_cache

from shared.clock import Clock, clock_from_environment


@lru_cache(maxsize=1)
def get_clock() -> Clock:
    """The process's clock, also a FastAPI dependency (tests override it)."""
    return clock_from_environment()
