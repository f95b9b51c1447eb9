"""The services of the channels: one looks at mailboxes and folders, the other is called by the market operator."""

import signal
import ssl
import threading
from dataclasses import asdict
from functools import partial
from typing import Final

import structlog
import uvicorn
from fastapi import FastAPI
from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError

from central.market.channels.callback import create_callback_app
from central.market.channels.config import ChannelSettings
from central.market.channels.open_channels import channel_settings, open_channels
from central.market.channels.port import Channel
from central.market.channels.receive import Read, receive_all
from central.market.conversation.processes import lapse_silent
from central.market.format_package import look_into
from central.market.incoming import read_incoming
from central.market.send import Carried, send_due
from central.platform.clock import get_clock
from central.platform.database import make_engine, transaction
from central.platform.errors import BadInput
from central.platform.settings import Settings
from central.platform.workers import keep_freed_memory
from shared.clock import Clock

PERSON: Final = "market-channels"
"""Under whose name the service sends."""

MOST_CALLS: Final = 32
"""At the same time of the call-back service."""
STOP_S: Final = 5
"""So long the call-back service waits at its end for a caller that keeps its connection open."""
_log = structlog.get_logger(__name__)


def main(settings: Settings) -> None:
    """Send what is due and fetch what waits until SIGTERM or SIGINT; who is away is waited for.

    Every channel has a thread of its own: a slow one keeps none of the others.
    """
    look_into(settings.home)
    keep_freed_memory()  # signing a message takes half as long
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    clock = get_clock()
    found = channel_settings(settings)
    read = read_incoming if found is None else partial(read_incoming, participants=found.participants)
    ways = 1 if found is None else len(found.source.channels)
    engine = make_engine(settings.database_url, name="rozvodna-market", pool_size=2 * ways + 1)
    with open_channels(engine, settings, clock.now) as channels:
        threads = [
            threading.Thread(target=_serve, args=(engine, channel, carried, clock, read, stop, settings.market_poll_s))
            for channel, carried in channels
        ]
        for thread in threads:
            thread.start()
        _log.info("market channels started", channels=[channel.destination.name for channel, _ in channels])
        while not stop.is_set():
            _lapse(engine, clock)
            stop.wait(settings.market_poll_s)
        for thread in threads:
            thread.join()
    engine.dispose()
    _log.info("market channels stopped")


def _serve(
    engine: Engine,
    channel: Channel,
    carried: Carried,
    clock: Clock,
    read: Read,
    stop: threading.Event,
    pause_s: float,
) -> None:
    """One channel until `stop`: whatever it stumbles over, it goes on after a pause."""
    while not stop.is_set():
        has_more = False
        try:
            send_due(engine, channel, clock, PERSON, carried=carried, stopped=stop.is_set)
            report = receive_all(engine, channel, clock.now, read)
        except DBAPIError as error:
            _log.warning("market channel has to wait", channel=channel.destination.name, error=str(error.orig))
        except Exception:
            # its message is tried again after its lease
            _log.exception("market channel stumbles", channel=channel.destination.name)
        else:
            if report.numbers or report.aside or report.dropped:
                _log.info("market channel", channel=channel.destination.name, **asdict(report))
            # where something new came there may be more: a full mailbox is not read a page a minute
            has_more = report.failed is None and bool(report.numbers)
        stop.wait(0 if has_more else pause_s)


def _lapse(engine: Engine, clock: Clock) -> None:
    try:
        with transaction(engine) as connection:
            lapse_silent(connection, clock.now(), PERSON)
    except DBAPIError as error:
        _log.warning("market conversations have to wait", error=str(error.orig))
    except Exception:
        # the channels' threads live on only as long as this one
        _log.exception("market conversations stumble")


def callback_main(settings: Settings) -> None:
    """Serve the call-back service until stopped."""
    look_into(settings.home)
    found = _require(settings)
    engine = make_engine(settings.database_url, name="rozvodna-market-callback", pool_size=4)
    read = partial(read_incoming, participants=found.participants)
    app = create_callback_app(engine, found.callback(), get_clock().now, read)
    uvicorn.Server(uvicorn_config(found, app)).run()
    engine.dispose()


def uvicorn_config(found: ChannelSettings, app: FastAPI) -> uvicorn.Config:
    """The server's settings: mutual TLS by itself, or plain on this machine behind a proxy that keeps it.

    BadInput where it would be open to others without asking for their certificate.
    """
    source = found.source.callback
    if source is None:
        raise BadInput("no_callback", "The settings of the market's channels have no `callback`; add one.")
    # each may hold a call of the largest size in memory
    common = {"host": source.host, "port": source.port, "log_config": None, "access_log": False}
    common["limit_concurrency"] = MOST_CALLS
    common["timeout_graceful_shutdown"] = STOP_S
    if source.tls_key is None:
        if source.host not in {"127.0.0.1", "::1", "localhost"}:
            raise BadInput(
                "callback_open", f"The call-back service would listen on {source.host} without TLS; give `tls_key`."
            )
        return uvicorn.Config(app, **common)  # type: ignore[arg-type] # mixed values of one mapping
    key = next((each for each in found.keys if each.name == source.tls_key), None)
    if key is None or key.files is None or source.client_ca_file is None:
        raise BadInput(
            "callback_tls", "The call-back service needs `tls_key` (a key in PEM files) and `client_ca_file`."
        )
    certificate, private, password = key.files
    return uvicorn.Config(
        app,
        **common,  # type: ignore[arg-type] # mixed values of one mapping
        ssl_certfile=str(certificate),
        ssl_keyfile=str(private),
        ssl_keyfile_password=password,
        ssl_ca_certs=str(found.folder / source.client_ca_file),
        ssl_cert_reqs=ssl.CERT_REQUIRED,
    )


def _require(settings: Settings) -> ChannelSettings:
    found = channel_settings(settings)
    if found is None:
        raise BadInput("no_channels_file", "The call-back service needs ROZVODNA_MARKET_CHANNELS_FILE; set it.")
    return found
