"""What can be wrong with a market message: ours (OutboundError) or theirs (InboundError)."""

from central.platform.errors import DomainError


class MarketError(DomainError):
    """A market message that cannot be made, sent or read."""


class FormatError(MarketError):
    """A format package that is not usable, or a code that it does not know (422)."""

    status = 422


class OutboundError(MarketError):
    """A message of ours that must not leave: its data or its address do not allow it (409)."""

    status = 409


class InboundError(MarketError):
    """A message received that is refused: it is recorded and never processed (422)."""

    status = 422
