"""The channels of an installation: by the settings' file, or the one to our sandbox."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from sqlalchemy import Engine

from central.market.channels.allowed import Environment
from central.market.channels.archive import DatabaseArchive
from central.market.channels.config import ChannelSettings, read_settings
from central.market.channels.config_file import REST, HttpSource
from central.market.channels.plain_http import HttpChannel, destination_of
from central.market.channels.port import Channel
from central.market.send import EVERYTHING, Carried
from central.platform.errors import Refused
from central.platform.settings import Settings

_read: dict[Path, tuple[tuple[int, int], ChannelSettings]] = {}


def channel_settings(settings: Settings) -> ChannelSettings | None:
    """The settings' file, read anew when it changed (touch it when a certificate's file did); BadInput."""
    path = settings.market_channels_file
    if path is None:
        return None
    stamp = (path.stat().st_mtime_ns, path.stat().st_ino) if path.exists() else (0, 0)
    known = _read.get(path)
    if known is None or known[0] != stamp:
        _read[path] = known = stamp, read_settings(path)
    return known[1]


@contextmanager
def open_channels(
    engine: Engine, settings: Settings, now: Callable[[], datetime]
) -> Iterator[list[tuple[Channel, Carried]]]:
    """Every channel with the message codes that it carries, closed at the end; Refused where none is set."""
    archive = DatabaseArchive(engine)
    found = channel_settings(settings)
    channels: list[tuple[Channel, Carried]] = []
    if found is not None:
        codes = found.codes_of()
        opened = found.open_channels(archive, now)
        channels = [(channel, carried_by(codes, name)) for name, channel in opened.items()]
    elif settings.ote_url is not None:
        channels = [(HttpChannel(destination_of(settings.ote_url), archive, now), EVERYTHING)]
    if not channels:
        raise Refused(
            "no_market_address",
            "There is no way to the market operator: set ROZVODNA_MARKET_CHANNELS_FILE (docs/channels.md), or "
            "ROZVODNA_OTE_URL for a sandbox, sandbox+http://...",
        )
    try:
        yield channels
    finally:
        for channel, _ in channels:
            channel.close()


def carried_by(codes: dict[str, list[str]], name: str) -> Carried:
    """What a channel carries: its own codes; `*`: all that no other names."""
    if REST not in codes[name]:
        return Carried(frozenset(codes[name]))
    named = {code for other, its in codes.items() if other != name for code in its}
    return replace(EVERYTHING, others=frozenset(named - {REST}))


def ways_of(settings: Settings) -> list[tuple[Carried, Environment, str]]:
    """What each channel carries, whose world it leads to, its name."""
    found = channel_settings(settings)
    if found is None:
        url = settings.ote_url
        return [] if url is None else [(EVERYTHING, destination_of(url).environment, "ROZVODNA_OTE_URL")]
    codes, hosts = found.codes_of(), found.source.sandbox_hosts
    return [
        (
            carried_by(codes, source.name),
            destination_of(source.url, hosts).environment if isinstance(source, HttpSource) else source.environment,
            source.name,
        )
        for source in found.source.channels
    ]


def leads_to_production(settings: Settings) -> Callable[[str], bool]:
    """Of a message code: whether its channel leads to the market operator itself, not to a sandbox."""
    ways = ways_of(settings)

    def leads(code: str) -> bool:
        found = next((environment for carried, environment, _ in ways if carried.carries(code)), None)
        return found is Environment.PRODUCTION

    return leads
