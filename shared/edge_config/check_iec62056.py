"""Rules for meters that are opened by IEC 62056-21."""

from collections.abc import Iterator
from typing import Final

from shared.edge_config.model import BusConfig, DeviceConfig, SerialLink
from shared.identifiers import IdentifierError, Obis
from shared.iec62056.messages import BAUD_CODES, LONGEST_ADDRESS, is_address

MODEL: Final = "iec62056-21"
CUMULATIVE: Final = 8
"""Value group D of registers that only grow."""


def iec62056_problems(bus: BusConfig, device: DeviceConfig, place: str) -> Iterator[str]:
    """What a device of this model gets wrong beyond what all devices share."""
    address = device.address
    if address.server is not None or address.unit is not None or address.physical is not None:
        yield f"at {place}.address: an {MODEL} meter needs device at most, neither server, physical nor unit."
    if isinstance(bus.link, SerialLink) and (bus.link.parity != "N" or bus.link.stop_bits != 1):
        yield (
            f"at {place}: the bus {bus.name} has parity {bus.link.parity} and {bus.link.stop_bits} stop bit(s); "
            "set parity N and one stop bit, the agent makes the parity of 7E1 itself (iec62056.software_parity)."
        )
    yield from opening_problems(device, place)
    if device.profile is not None:
        for r, register in enumerate(device.profile.registers):
            try:
                obis = Obis.parse(register.obis)
            except IdentifierError:
                continue  # told where all devices are checked
            if obis.d == CUMULATIVE:
                yield (
                    f"at {place}.profile.registers[{r}].obis: {register.obis} is cumulative and no interval's "
                    "quantity; name one such as 1-0:1.29.0 or 1-0:1.5.0, or sample it as a state."
                )


def mode_e_problems(bus: BusConfig, device: DeviceConfig, place: str) -> Iterator[str]:
    """What a DLMS meter gets wrong about its opening."""
    if device.opening == "hdlc":
        if device.address.device is not None:
            yield f"at {place}.address.device: only an opening by mode-e asks for it; set opening, or leave it out."
        return
    if bus.protocol != "hdlc":
        yield f"at {place}.opening: {device.opening} comes before HDLC; the bus {bus.name} speaks {bus.protocol}."
    if isinstance(bus.link, SerialLink) and bus.link.parity != "N":
        yield f"at {place}.opening: the bus {bus.name} has parity {bus.link.parity}; {device.opening} needs N."
    yield from opening_problems(device, place)


def opening_problems(device: DeviceConfig, place: str) -> Iterator[str]:
    """Address and speeds of an opening, whether mode C or mode E follows."""
    text = device.address.device
    if text is not None and not is_address(text):
        yield (
            f"at {place}.address.device: {text!r} must be at most {LONGEST_ADDRESS} digits, letters and spaces; "
            "leave it out for any meter that hears."
        )
    if device.iec62056 is None:
        return
    for name, baud in (("opening_baud", device.iec62056.opening_baud), ("baud", device.iec62056.baud)):
        if baud is not None and baud not in BAUD_CODES:
            wanted = ", ".join(map(str, BAUD_CODES))
            yield f"at {place}.iec62056.{name}: {baud} is no speed of IEC 62056-21; expected one of {wanted}."
