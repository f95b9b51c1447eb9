"""`python -m firmware_sims SCENARIO.json`: hosts the scenario's lines until SIGTERM.

Prints one line `ready` when all lines listen. SIGUSR1 writes the statistics file. The time is the shared clock's if
ROZVODNA_CLOCK names one. Ends with 2 and a sentence on stderr for a scenario or line that is not right.
"""

import argparse
import asyncio
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from firmware_sims.host import Host
from firmware_sims.scenario import ScenarioError, load_scenario
from firmware_sims.scenario_model import Scenario
from shared.clock import Clock, ClockError, clock_from_environment
from shared.event_loop import precise_event_loop


async def serve(scenario: Scenario, clock: Clock) -> None:
    """Host the scenario until SIGTERM or SIGINT."""
    host = Host(scenario, clock)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, host.stop)
    loop.add_signal_handler(signal.SIGUSR1, host.write_statistics)
    await host.open()
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    try:
        await host.run()
    finally:
        await host.close()


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m firmware_sims", description="Simulated meters on paced serial lines and TCP ports."
    )
    parser.add_argument("scenario", type=Path, metavar="SCENARIO.json", help="which lines and meters there are")
    options = parser.parse_args(arguments)
    try:
        scenario = load_scenario(options.scenario)
        clock = clock_from_environment()
        with asyncio.Runner(loop_factory=precise_event_loop) as runner:
            runner.run(serve(scenario, clock))
    except (ScenarioError, ClockError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
