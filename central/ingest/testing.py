"""Stand-ins for the ports of ingest, for tests."""

from collections.abc import Collection, Iterable

from central.ingest.channels import ChannelTable, EvidenceChannel
from shared.wire import Key


class KnownChannels:
    """A `ChannelSource` without a database; channels `added` later are found by `look_again` only."""

    def __init__(self, channels: Iterable[EvidenceChannel]) -> None:
        self.table = ChannelTable()
        self._channels = list(channels)
        self._later: list[EvidenceChannel] = []

    def require(self, edges: Collection[str]) -> None:
        missing = [edge for edge in edges if edge not in self.table.edges]
        if missing:
            self.table.add([channel for channel in self._channels if channel.edge in missing], missing)

    def look_again(self, keys: Iterable[tuple[str, Key]]) -> bool:
        wanted = {(edge, key.device, key.register) for edge, key in keys}
        found = [channel for channel in self._later if (channel.edge, channel.device, channel.register) in wanted]
        if found:
            self.table.add(found)
        return bool(found)

    def add_later(self, channel: EvidenceChannel) -> None:
        """Create a channel after the registry has been read."""
        self._later.append(channel)
