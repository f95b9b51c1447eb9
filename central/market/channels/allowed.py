"""What may leave for which environment: a message in a format that we laid out ourselves never for production."""

from enum import StrEnum

from central.market.errors import OutboundError
from central.market.format_package import load_package


class Environment(StrEnum):
    """Whose world an address belongs to."""

    PRODUCTION = "production"
    SANDBOX = "sandbox"


class FormatStatus(StrEnum):
    """Who laid out a message's format."""

    OFFICIAL = "official"
    """The market operator's own schemas, and our samples satisfy them."""
    SANDBOX = "sandbox"
    """Ours, in the documented style."""


def require_allowed(status: FormatStatus, environment: Environment, where: str) -> None:
    """OutboundError if a message of a format of that status must not leave for that environment."""
    if status is not FormatStatus.OFFICIAL and environment is not Environment.SANDBOX:
        raise OutboundError(
            "sandbox_format",
            f"The message's format was laid out by us and must not go to {where}, which is {environment}: install the "
            f"operator's formats, or send it to a sandbox. (A message of another edition of a package than is "
            f"installed counts as ours: make it anew.)",
        )


def format_status(package: str, code: str, digest: str | None) -> FormatStatus:
    """The status of a message code in the edition of a format package that the message was written by.

    `digest` names the edition: of another one than is installed, or of none, nothing is known, so it is ours. Raises
    FormatError for an unknown package or code.
    """
    installed = load_package(package)
    if installed.is_sandbox_message(code) or digest != installed.digest:
        return FormatStatus.SANDBOX
    return FormatStatus.OFFICIAL
