"""What may leave for which environment: a message in a format that we laid out ourselves never for production."""

from enum import StrEnum
from typing import Final

from central.market.errors import OutboundError
from central.market.format_package import load_package

OPERATOR_DOMAIN: Final = "ote-cr.cz"


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
            f"operator's formats, or send it to a sandbox.",
        )


def format_status(package: str, code: str) -> FormatStatus:
    """The status of a message code in a format package; FormatError for an unknown package or code."""
    return FormatStatus.SANDBOX if load_package(package).is_sandbox_message(code) else FormatStatus.OFFICIAL


def refuse_operator_as_sandbox(host: str) -> None:
    """OutboundError if the host belongs to the market operator: it cannot be declared a sandbox of ours."""
    name = host.rstrip(".").lower()
    if name == OPERATOR_DOMAIN or name.endswith("." + OPERATOR_DOMAIN):
        raise OutboundError(
            "operator_is_no_sandbox",
            f"The host {host!r} belongs to the market operator: it cannot be marked as a sandbox of ours.",
        )
