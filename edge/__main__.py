"""`python -m edge CONFIG.json`: the concentrator's agent. Logs are JSON lines on standard error; SIGTERM stops it in
order, SIGKILL at any moment loses nothing that is in the outbox or in a meter.
"""

import argparse
import asyncio
import contextlib
import signal
import sys
from typing import Final

import edge.lean  # noqa: F401 - first of ours, see there
from edge import discover
from edge.agent import Agent
from edge.config import EdgeConfig, load_config
from edge.control import enrol
from edge.control.standing import take_stand
from edge.errors import ConfigError, OutboxError
from edge.event_loop import loop_factory
from edge.logs import set_up_logs
from edge.supervise import stop_once
from edge.uplink.mqtt import MqttLink, read_password
from shared.clock import Clock, ClockError, clock_from_environment

SWITCH_S: Final = 0.0005
"""The outbox's thread lets go of the interpreter after so long: polls must not wait for it (5 ms by default)."""


async def _serve(config: EdgeConfig, clock: Clock) -> None:
    standing = take_stand(config, clock)
    runs = standing.chosen.config if standing else config
    agent = asyncio.create_task(Agent(runs, clock, MqttLink(config.mqtt, f"edge-{config.edge}"), standing).run())
    loop = asyncio.get_running_loop()
    for signal_number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(signal_number, stop_once, agent)
    with contextlib.suppress(asyncio.CancelledError):
        await agent


def main(arguments: list[str] | None = None) -> int:
    """0 after an orderly stop, 2 if it cannot start."""
    given = sys.argv[1:] if arguments is None else arguments
    if given[:1] == ["enrol"]:
        return enrol.main(given[1:])
    if given[:1] == ["discover"]:
        return discover.main(given[1:])
    parser = argparse.ArgumentParser(prog="python -m edge", description="Agent of one concentrator.")
    parser.add_argument("config", help="configuration, JSON (schema: edge/config.py)")
    parser.add_argument("--check", action="store_true", help="only check the configuration")
    options = parser.parse_args(given)
    try:
        config = load_config(options.config)
        read_password(config.mqtt)
        clock = clock_from_environment()
        if options.check:
            return 0
        set_up_logs(config.edge)
        sys.setswitchinterval(SWITCH_S)
        with asyncio.Runner(loop_factory=loop_factory(config)) as runner:
            runner.run(_serve(config, clock))
    except (ConfigError, OutboxError, ClockError) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
