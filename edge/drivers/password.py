"""Passwords of meters: in files of their own, so that a configuration can be shown to anybody."""

from pathlib import Path

from edge.config import DeviceConfig
from edge.errors import ConfigError


def read_password(device: DeviceConfig) -> bytes | None:
    """What stands in the device's password file, without the line's end; None if it has none. Raises `ConfigError`."""
    if device.password_file is None:
        return None
    try:
        return Path(device.password_file).read_bytes().rstrip(b"\r\n")
    except OSError as error:
        raise ConfigError(
            f"The password file {device.password_file} of {device.id} cannot be read: {error.strerror}."
        ) from None
