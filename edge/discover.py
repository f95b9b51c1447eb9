"""`python -m edge discover CONFIG.json DEVICE`: asks a DLMS meter for all it has, and proposes its configuration.

For commissioning: the device stands in the configuration with address, security and anything to read (a template will
do). The line must be free: stop the agent, or take a configuration of your own.
"""

import argparse
import asyncio
import sys
from datetime import datetime, time
from typing import Any

import msgspec

from edge.bus.owner import Priority, Turn
from edge.config import EdgeConfig, load_config
from edge.dlms.discovery import Discovery, propose_device
from edge.drivers.dlms import DlmsSession
from edge.errors import ConfigError, DeviceError, LineDownError
from edge.logs import set_up_logs
from edge.plant import Plant
from shared.clock import Clock, ClockError, clock_from_environment
from shared.metering_day import PRAGUE


async def look(config: EdgeConfig, device: str, clock: Clock) -> Discovery:
    """What the meter has. Raises `ConfigError`, `DeviceError`, `LineDownError`."""
    plant = Plant(config, clock)
    state = plant.devices[device]

    async def work(turn: Turn) -> Discovery:
        async with state.driver.session(turn.line) as meter:
            assert isinstance(meter, DlmsSession), "the model says so"
            return await meter.discover()

    plant.start([state.bus.name])
    try:
        return await state.bus.submit(device, Priority.COMMAND, work)
    finally:
        await plant.stop()


def _since(config: EdgeConfig, device: str, clock: Clock) -> str:
    """From when a profile is proposed to be read: as configured, or from the beginning of today."""
    profile = next(each.profile for _, each in config.devices() if each.id == device)
    if profile is not None:
        return profile.since.isoformat()
    return datetime.combine(clock.now().astimezone(PRAGUE).date(), time(), PRAGUE).isoformat()


def proposal(config: EdgeConfig, device: str, found: Discovery, clock: Clock) -> dict[str, Any]:
    """The device as a configuration would have it: the address of `config`, the rest as found."""
    address = next(each.address for _, each in config.devices() if each.id == device)
    given = {name: value for name, value in msgspec.to_builtins(address).items() if value is not None}
    return propose_device(found, device, given, _since(config, device, clock))


def main(arguments: list[str]) -> int:
    """Prints the proposal (JSON) on standard output, remarks on standard error; 0, or 2 with a sentence."""
    parser = argparse.ArgumentParser(prog="rozvodna edge discover", description=__doc__)
    parser.add_argument("config", help="configuration, JSON, in which the device stands")
    parser.add_argument("device", help="its id")
    options = parser.parse_args(arguments)
    try:
        config = load_config(options.config)
        models = {each.id: each.model for _, each in config.devices()}
        if models.get(options.device) != "dlms":
            dlms = ", ".join(name for name, model in models.items() if model == "dlms") or "none"
            raise ConfigError(
                f"The configuration {options.config} has no DLMS meter {options.device!r}; it has {dlms}. "
                "Meters of other models have no list of what they hold."
            )
        clock = clock_from_environment()
        set_up_logs(config.edge)
        found = asyncio.run(look(config, options.device, clock))
    except (ConfigError, ClockError, DeviceError, LineDownError) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    sys.stderr.writelines(f"{remark}\n" for remark in found.remarks)
    proposed = msgspec.json.encode(proposal(config, options.device, found, clock))
    sys.stdout.write(msgspec.json.format(proposed, indent=2).decode() + "\n")
    return 0
