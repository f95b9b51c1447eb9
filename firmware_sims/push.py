"""Simulated meters that send unasked: a data notification at each instant that the scenario names."""

import asyncio
from typing import Final

from firmware_sims.dlms.objects import CosemObject, constant
from firmware_sims.dlms_data import meter_spec
from firmware_sims.scenario_model import DlmsMeter, Push, Scenario
from shared.clock import Clock
from shared.dlms import axdr
from shared.dlms.datetime12 import encode_datetime
from shared.dlms.notification import DataNotification
from shared.dlms.selection import CaptureObject
from shared.dlms.wrapper import WrapperFrame
from shared.identifiers import Obis
from shared.metering_day import PRAGUE

PUSH_SETUP: Final = Obis(0, 0, 25, 9, 0)
PUSHED: Final = (
    CaptureObject(1, Obis(0, 0, 42, 0, 0).bytes, 2),
    CaptureObject(1, Obis(0, 0, 96, 11, 0).bytes, 2),
)
"""Logical device name and event code."""
_DESTINATION_WPORT: Final = 103
_LOOK_S: Final = 0.05


def push_setup(push: Push) -> CosemObject:
    """The object that says what is sent and where."""
    destination = axdr.octet_string(f"{push.host}:{push.port}".encode("ascii"))
    return CosemObject(
        40,
        PUSH_SETUP,
        {
            2: constant(axdr.array(each.encode() for each in PUSHED)),
            3: constant(axdr.structure(axdr.enum(0), destination, axdr.enum(0))),
        },
    )


def notification(meter: DlmsMeter, push: Push, number: int) -> bytes:
    """What is sent: the wrapper's frame with the message."""
    at = encode_datetime(push.at.astimezone(PRAGUE))
    name = meter_spec(meter).logical_name.encode("ascii")
    body = axdr.structure(axdr.octet_string(name), axdr.uint16(push.code))
    message = DataNotification(number, at, body).encode()
    return WrapperFrame(meter.address.wport or 1, _DESTINATION_WPORT, message).encode()


class PushSender:
    """Sends all pushes of a scenario when their time has come. Nobody listening is no error: it is not repeated."""

    def __init__(self, scenario: Scenario, clock: Clock) -> None:
        self.sent = 0
        self._clock = clock
        self._left = sorted(
            (
                (push.at, number, push, meter)
                for meter in scenario.meters
                if isinstance(meter, DlmsMeter)
                for number, push in enumerate(meter.pushes, 1)
            ),
            key=lambda each: each[:2],
        )

    async def run(self) -> None:
        """Until all are sent, or cancelled."""
        while self._left:
            at, number, push, meter = self._left[0]
            if self._clock.now() < at:
                await asyncio.sleep(_LOOK_S)
                continue
            del self._left[0]
            try:
                _, writer = await asyncio.open_connection(push.host, push.port)
                writer.write(notification(meter, push, number))
                await writer.drain()
                writer.close()
                await writer.wait_closed()
                self.sent += 1
            except OSError:
                continue
