"""Which event loop the agent runs on.

uvloop's where it is installed (extra `uvloop`): half the processor time a poll. But its timers count milliseconds, so
where a line has silent intervals it is the precise loop; without uvloop, or with `ROZVODNA_UVLOOP=0`, asyncio's.
"""

import asyncio
import importlib
import os
from collections.abc import Callable, Mapping
from typing import Final

from edge.bus.timing import line_timing
from edge.config import EdgeConfig
from shared.event_loop import precise_event_loop

ENVIRONMENT_VARIABLE: Final = "ROZVODNA_UVLOOP"

LoopFactory = Callable[[], asyncio.AbstractEventLoop]


def loop_factory(config: EdgeConfig, environment: Mapping[str, str] = os.environ) -> LoopFactory:
    """For `asyncio.Runner`. Buses that a later configuration brings run on what was chosen at the start."""
    if any(line_timing(bus.protocol, bus.link.baud).gap_s for bus in config.buses):
        return precise_event_loop
    if environment.get(ENVIRONMENT_VARIABLE) == "0":
        return asyncio.new_event_loop
    try:
        factory: LoopFactory = importlib.import_module("uvloop").new_event_loop
    except ImportError:
        return asyncio.new_event_loop
    return factory
