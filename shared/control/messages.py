"""Configuration, commands and their results. Bodies are MessagePack maps; what a concentrator obeys comes signed.

| message | topic | form |
|---|---|---|
| configuration | `config`, retained | signed, kind `configuration` |
| command | `command`, with response topic and correlation data | signed, kind `command` |
| results of both | the response topic, `result` | plain: the broker vouches for the concentrator |
"""

from datetime import date
from typing import Any, Final, Literal, TypeVar

import msgspec

from shared.control.signing import sign, verify

CONFIGURATION: Final = "configuration"
COMMAND: Final = "command"

T = TypeVar("T")


class ControlError(ValueError):
    """A message that its sender signed, and that makes no sense."""


class _Act(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True, tag_field="act"):
    """What a command asks for; a field beyond these is refused."""


class ReadNow(_Act, frozen=True, kw_only=True, tag="read_now"):
    """Read a device at once: its states, or the days `first` to `last` of its profile."""

    device: str
    first: date | None = None
    last: date | None = None


class FillRange(_Act, frozen=True, kw_only=True, tag="fill_range"):
    """Read the days `first` to `last` of a device's profile again, as back-fill."""

    device: str
    first: date
    last: date


class SetClock(_Act, frozen=True, kw_only=True, tag="set_clock"):
    """Set a device's clock; `over_boundary` allows a step over a quarter-hour boundary."""

    device: str
    over_boundary: bool = False


class Disconnect(_Act, frozen=True, kw_only=True, tag="disconnect"):
    """Open a device's breaker."""

    device: str


class Reconnect(_Act, frozen=True, kw_only=True, tag="reconnect"):
    """Close a device's breaker, or let it be closed."""

    device: str


class RestartBus(_Act, frozen=True, kw_only=True, tag="restart_bus"):
    """Close a bus and open it again."""

    bus: str


class SendDiagnostics(_Act, frozen=True, kw_only=True, tag="send_diagnostics"):
    """Send status, counters, last errors and the configuration without secrets."""


Act = ReadNow | FillRange | SetClock | Disconnect | Reconnect | RestartBus | SendDiagnostics
SWITCHING: Final = (Disconnect, Reconnect)
"""Acts that must happen once, however often they are delivered."""


class Configuration(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A numbered configuration of one concentrator."""

    edge: str
    number: int
    body: bytes
    """JSON."""


class Command(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A command to one concentrator; `id` is its key for once-only, instants are ms UTC."""

    id: str
    edge: str
    issued: int
    expires: int
    work: Act


Outcome = Literal["accepted", "done", "refused", "failed", "unknown"]


class CommandResult(msgspec.Struct, frozen=True, kw_only=True, tag="command"):
    """What became of a command. `refused`: nothing was done; `failed`: it was tried, and the meter did not do it;
    `unknown`: it may have been done, `data` says what the meter shows.
    """

    id: str
    outcome: Outcome
    at: int
    reason: str = ""
    data: dict[str, Any] = {}


class ConfigurationResult(msgspec.Struct, frozen=True, kw_only=True, tag="configuration"):
    """What became of a configuration: the number that runs, and why `number` does not, if it does not."""

    number: int
    runs: int
    at: int
    reason: str = ""
    """Sentences, empty where `number` is the one that runs."""


Result = CommandResult | ConfigurationResult

_encoder = msgspec.msgpack.Encoder()
_configurations = msgspec.msgpack.Decoder(Configuration)
_commands = msgspec.msgpack.Decoder(Command)
_results = msgspec.msgpack.Decoder(Result)


def sign_configuration(configuration: Configuration, private: bytes) -> bytes:
    """Body of a message on the config topic."""
    return sign(CONFIGURATION, _encoder.encode(configuration), private)


def open_configuration(message: bytes, public: bytes) -> Configuration:
    """The configuration that the owner of `public` signed; raises `SignatureError`, `ControlError`."""
    return _decode(_configurations, verify(message, CONFIGURATION, public), CONFIGURATION)


def sign_command(command: Command, private: bytes) -> bytes:
    """Body of a message on the command topic."""
    return sign(COMMAND, _encoder.encode(command), private)


def open_command(message: bytes, public: bytes) -> Command:
    """The command that the owner of `public` signed; raises `SignatureError`, `ControlError`."""
    return _decode(_commands, verify(message, COMMAND, public), COMMAND)


def encode_result(result: Result) -> bytes:
    """Body of a message on the result topic."""
    return _encoder.encode(result)


def decode_result(body: bytes) -> Result:
    """The result of a body; raises `ControlError`."""
    found: Result = _decode(_results, body, "result")
    return found


def _decode(decoder: "msgspec.msgpack.Decoder[T]", body: bytes, what: str) -> T:
    try:
        return decoder.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise ControlError(f"The {what} of {len(body)} octets cannot be understood: {error}.") from None
