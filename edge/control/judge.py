"""Whether a command may be obeyed: pure. Everything that is refused here was not done."""

from typing import Final

from shared.control.messages import Command, ControlError, open_command
from shared.control.signing import SignatureError

AHEAD_MS: Final = 15 * 60_000
"""A command that was issued so far in our future shows that one of the clocks is wrong."""


class RefusedError(Exception):
    """The command is not obeyed, and why; `id` is empty where not even that can be believed."""

    def __init__(self, identifier: str, reason: str) -> None:
        super().__init__(reason)
        self.id = identifier


def authentic(message: bytes, central: bytes, edge: str) -> Command:
    """The command that central signed for this concentrator; raises `RefusedError`."""
    try:
        command = open_command(message, central)
    except (SignatureError, ControlError) as error:
        raise RefusedError("", str(error)) from None
    if command.edge != edge:
        raise RefusedError(command.id, f"The command {command.id} is for {command.edge}; this concentrator is {edge}.")
    if not command.id or command.expires <= command.issued:
        raise RefusedError(command.id, "The command has no id, or expires before it was issued.")
    return command


def require_in_time(command: Command, now_ms: int) -> None:
    """Raises `RefusedError` unless `now_ms` is before the command's expiry and not well before its issue."""
    if now_ms >= command.expires:
        late = (now_ms - command.expires) / 1000
        raise RefusedError(command.id, f"The command {command.id} expired {late:.0f} s ago; issue it anew.")
    if command.issued - now_ms > AHEAD_MS:
        ahead = (command.issued - now_ms) / 1000
        raise RefusedError(
            command.id, f"The command {command.id} was issued {ahead:.0f} s in the future; compare the clocks."
        )
