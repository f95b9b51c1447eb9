"""The operator at the door of our call-back service: a real server with mutual TLS, and who calls it."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import httpx
import uvicorn
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from sqlalchemy import Engine

from central.market.channels import wss
from central.market.channels.allowed import Environment
from central.market.channels.callback import CallbackSetting, create_callback_app
from central.market.channels.receive import Read
from tests.unit.central.market.channels import pki
from tests.unit.central.market.channels.ends import tls_files


@dataclass
class Caller:
    """Calls the service; `now` is the service's time."""

    url: str
    client: httpx.Client
    now: list[datetime]

    def call(self, octets: bytes, service: str = "CDSCallbackService", **headers: str) -> httpx.Response:
        given = {"Content-Type": "text/xml", **{name.replace("_", "-"): value for name, value in headers.items()}}
        return self.client.post(f"{self.url}/ote/{service}", content=octets, headers=given)


@contextmanager
def open_caller(engine: Engine, folder: Path, read: Read) -> Iterator[Caller]:
    """The service with keys in the folder, serving until the end."""
    authority, server, private = tls_files(folder)
    now = [pki.AT]
    setting = CallbackSetting("ote-soap", Environment.SANDBOX, [pki.world().ours], pki.world().operator)
    app = create_callback_app(engine, setting, lambda: now[0], read)
    with ExitStack() as stack:
        listener = socket.create_server(("127.0.0.1", 0))
        config = uvicorn.Config(
            app, log_level="critical", ssl_certfile=str(server), ssl_keyfile=str(private),
            ssl_ca_certs=str(authority), ssl_cert_reqs=ssl.CERT_REQUIRED,
        )  # fmt: skip
        running = uvicorn.Server(config)
        thread = threading.Thread(target=running.run, kwargs={"sockets": [listener]})
        thread.start()
        stack.callback(thread.join)
        stack.callback(setattr, running, "should_exit", True)
        client = stack.enter_context(httpx.Client(verify=client_context(folder, authority, with_key=True), timeout=20))
        yield Caller(f"https://127.0.0.1:{listener.getsockname()[1]}", client, now)


def client_context(folder: Path, authority: Path, *, with_key: bool) -> ssl.SSLContext:
    """TLS of the operator, or of somebody without a certificate."""
    context = ssl.create_default_context(cafile=str(authority))
    if with_key:
        key = pki.own("theirs-tls", pki.world().root, "tls")
        (folder / "their.pem").write_bytes(key.certificate.public_bytes(Encoding.PEM))
        octets = key.private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        (folder / "their.key").write_bytes(octets)
        context.load_cert_chain(folder / "their.pem", folder / "their.key")
    return context


def fault_of(answer: httpx.Response) -> tuple[int, str, str]:
    """Status, code and the first word of what a fault says."""
    fault = wss.read_fault(answer.content)
    assert fault is not None, answer.text
    return answer.status_code, fault.code, fault.text.partition(":")[0]
