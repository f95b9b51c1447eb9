"""A channel that keeps what it is given, for tests; it passes the same contract tests as `HttpChannel`."""

from central.market.channel import (
    Address,
    Outgoing,
    Receipt,
    RefusedByChannelError,
    UndeliveredError,
    refuse_wrong_address,
)

SANDBOX_ADDRESS = Address("http://127.0.0.1:9/messages", is_sandbox=True)


class FakeChannel:
    """Takes messages while `up`; refuses the ids in `refuses` for good; loses the receipts of those in `loses`."""

    def __init__(self, address: Address = SANDBOX_ADDRESS) -> None:
        self.address = address
        self.up = True
        self.refuses: set[str] = set()
        self.loses: set[str] = set()
        self.taken: list[Outgoing] = []

    def deliver(self, message: Outgoing) -> Receipt:
        """See `Channel`."""
        refuse_wrong_address(message.package, self.address)
        if not self.up:
            raise UndeliveredError(f"{self.address.url} gave no receipt for {message.id}: it is down")
        if message.id in self.refuses:
            raise RefusedByChannelError(f"The other end does not take {message.id} in (HTTP 400): refused by the test")
        self.taken.append(message)
        if message.id in self.loses:
            raise UndeliveredError(f"{self.address.url} gave no receipt for {message.id}: it was lost")
        return Receipt(f"receipt-{len(self.taken)}")
