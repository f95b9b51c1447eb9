"""Direction of an RS-485 driver by the kernel: RTS is up while we send and down while we listen.

Source: linux/serial.h (struct serial_rs485) and Documentation/driver-api/serial/serial-rs485.rst. The setting
belongs to the port and outlives the descriptor, so that the serial library need not know of it.
"""

import fcntl
import os
import struct
from typing import Final

TIOCSRS485: Final = 0x542F
ENABLED: Final = 1 << 0
RTS_ON_SEND: Final = 1 << 1
_STRUCT: Final = struct.Struct("=3I5I")
"""Flags, delay before and after sending (ms), padding."""


def let_kernel_drive_direction(path: str) -> None:
    """Switch it on for the port `path`. Raises OSError with a sentence where the driver cannot do it."""
    port = os.open(path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
    try:
        fcntl.ioctl(port, TIOCSRS485, _STRUCT.pack(ENABLED | RTS_ON_SEND, 0, 0, 0, 0, 0, 0, 0))
    except OSError as error:
        raise OSError(
            error.errno,
            f"its driver does not switch the direction of RS-485 ({error.strerror}); leave rs485 out if the adapter "
            "does it by itself, as nearly all USB adapters do",
        ) from None
    finally:
        os.close(port)
