"""What can go wrong at the edge, as sentences. Three families that must never be mixed up: the configuration, a line
or a meter on it, the uplink. A fault of one family never stops the tasks of another.
"""


class EdgeError(Exception):
    """Base of the agent's own errors."""


class ConfigError(EdgeError):
    """A configuration that is refused whole: names file, place, value and expectation."""


class LineDownError(EdgeError, ConnectionError):
    """The line itself is gone: port closed, socket reset. The bus reconnects; no meter is blamed."""


class DeviceError(EdgeError):
    """One meter did not do what was asked; others on its line are not touched."""


class DeviceSilentError(DeviceError):
    """No (whole) answer within the time allowed."""


class DeviceRefusedError(DeviceError):
    """The meter answered, and said no."""


class DeviceGarbledError(DeviceError):
    """The meter answered something that is not an answer to the question."""


class DeviceMismatchError(DeviceError):
    """The meter is not the one that the configuration names: it is not read. `expected` and `found` by fact."""

    def __init__(self, message: str, differ: dict[str, tuple[str, str]]) -> None:
        super().__init__(message)
        self.differ = differ


class CollisionError(DeviceError):
    """What was sent did not come back as it was sent, on a line that echoes; or the line is never free."""


class LineAmbiguousError(DeviceError):
    """A late reply to an earlier request could be taken for the answer: not asked until `retry_in` seconds passed."""

    def __init__(self, message: str, retry_in: float) -> None:
        super().__init__(message)
        self.retry_in = retry_in


class BrokerDownError(EdgeError):
    """No connection to the broker, or it broke."""


class OutboxError(EdgeError):
    """The outbox file cannot be used."""
