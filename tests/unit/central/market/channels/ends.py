"""The other ends of channels, each with a channel to it: what the contract of all channels is tried on."""

from __future__ import annotations

import asyncio
import json
import shutil
import socket
import ssl
import tempfile
import threading
from argparse import Namespace
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Protocol

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Session
from aiosmtpd.smtp import Envelope as SmtpEnvelope
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from proxyprotocol.reader import ProxyProtocolReader
from pymap.backend.dict import DictBackend
from pymap.imap import IMAPServer

from central.market.channels import folder, smime, wss
from central.market.channels.allowed import Environment
from central.market.channels.folder import FolderChannel
from central.market.channels.keys import OwnKey
from central.market.channels.mail import Mailbox, MailChannel, MailSetting, open_mailbox
from central.market.channels.plain_http import HttpChannel, destination_of
from central.market.channels.port import Channel, Destination, Outgoing, Verdict
from central.market.channels.soap import Service, SoapChannel, SoapSetting
from central.market.testing import AT, FakeArchive, FakeChannel
from central.platform.smtp import Server

from . import pki


class OtherEnd(Protocol):
    """What a test can do with the other end of a channel."""

    @property
    def channel(self) -> Channel: ...
    @property
    def archive(self) -> FakeArchive: ...
    @property
    def proves(self) -> bool:
        """Whether it proves who it is when it refuses a message."""
        ...

    def go_down(self) -> None: ...
    def refuse(self, message_id: str) -> None: ...
    def lose_receipt(self, message_id: str) -> None: ...
    def taken(self) -> list[tuple[str, bytes]]:
        """Ids and XML of the messages that arrived, after whatever sealed them was opened."""
        ...

    def offer(self, identity: str, content: bytes) -> bool:
        """Let a message wait for us; False where this end does not let us fetch."""
        ...

    def close(self) -> None: ...


def make_production(channel: Channel) -> None:
    """Turn the channel's destination into one of production."""
    channel.destination = replace(channel.destination, environment=Environment.PRODUCTION)


class FakeEnd:
    proves = True

    def __init__(self) -> None:
        self.archive = FakeArchive()
        self.channel = FakeChannel(archive=self.archive)

    def go_down(self) -> None:
        self.channel.up = False

    def refuse(self, message_id: str) -> None:
        self.channel.refuses.add(message_id)

    def lose_receipt(self, message_id: str) -> None:
        self.channel.loses.add(message_id)

    def taken(self) -> list[tuple[str, bytes]]:
        return [(message.id, message.xml) for message in self.channel.taken]

    def offer(self, identity: str, content: bytes) -> bool:
        self.channel.offer(identity, content)
        return True

    def close(self) -> None:
        self.channel.close()


class HttpEnd:
    """A real server on loopback that does as it is told."""

    proves = False

    def __init__(self) -> None:
        end = self
        self.refuses: set[str] = set()
        self.loses: set[str] = set()
        self.status = 202
        self.body: bytes | None = None
        self.kept: list[tuple[str, bytes]] = []

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                message_id = str(self.headers["X-Message-Id"])
                content = self.rfile.read(int(self.headers["Content-Length"]))
                if message_id in end.refuses:
                    self.reply(400, b'{"code": "xml_malformed", "message": "no XML"}')
                    return
                end.kept.append((message_id, content))
                if message_id in end.loses:
                    self.connection.close()
                    return
                receipt = json.dumps({"receipt": f"r-{len(end.kept)}"}).encode()
                self.reply(end.status, receipt if end.body is None else end.body)

            def reply(self, status: int, body: bytes) -> None:
                self.send_response(status)
                if status == 302:
                    self.send_header("Location", "http://127.0.0.1:1/")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """Quiet."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()
        self.archive = FakeArchive()
        address = destination_of(f"sandbox+http://127.0.0.1:{self.server.server_port}/messages")
        self.channel = HttpChannel(address, self.archive, lambda: AT, connect_s=2, answer_s=2)

    def go_down(self) -> None:
        self.server.shutdown()
        self.server.server_close()

    def refuse(self, message_id: str) -> None:
        self.refuses.add(message_id)

    def lose_receipt(self, message_id: str) -> None:
        self.loses.add(message_id)

    def taken(self) -> list[tuple[str, bytes]]:
        return self.kept

    def offer(self, identity: str, content: bytes) -> bool:
        return False

    def close(self) -> None:
        self.channel.close()
        self.go_down()


class FolderEnd:
    """Another program at the same folder."""

    proves = False

    def __init__(self) -> None:
        self._parent = Path(tempfile.mkdtemp(prefix="rozvodna-folder-"))
        self.path = self._parent / "exchange"
        self.path.mkdir()
        self.archive = FakeArchive()
        where = Destination("folder", str(self.path), Environment.SANDBOX)
        self.channel = FolderChannel(where, self.archive, lambda: AT, self.path, pki.OPERATOR)
        self._patch = pytest.MonkeyPatch()

    def go_down(self) -> None:
        self.path.rename(self._parent / "gone")

    def refuse(self, message_id: str) -> None:
        (self.path / "out").mkdir(exist_ok=True)
        (self.path / "out" / f"121-{message_id}.xml").write_bytes(b"something else")

    def lose_receipt(self, message_id: str) -> None:
        def fail(_: Path) -> None:
            raise OSError(28, "no space left")

        self._patch.setattr(folder, "_sync_folder", fail)

    def taken(self) -> list[tuple[str, bytes]]:
        """A repeated message takes its own place: as often as it left, it is there."""
        out = self.path / "out"
        found = {
            path.stem.partition("-")[2]: path.read_bytes()
            for path in out.glob("*.xml")
            if path.read_bytes() != b"something else"
        }
        sent = {kept.message_id or "" for kept in self.archive.kept if kept.verdict is Verdict.SENT}
        return [(each, found[each]) for each in sent if each in found]

    def offer(self, identity: str, content: bytes) -> bool:
        (self.path / "in").mkdir(exist_ok=True)
        (self.path / "in" / f"{identity}.xml").write_bytes(content)
        list(self.channel.receive())
        return True

    def close(self) -> None:
        self._patch.undo()
        self.channel.close()
        shutil.rmtree(self._parent)


def tls_files(folder_: Path) -> tuple[Path, Path, Path]:
    """A server's certificate and key for this machine, and the authority to trust."""
    key = pki._key("server")
    names = (x509.IPAddress(ip_address("127.0.0.1")), x509.DNSName("localhost"))
    certificate = pki.issue("server", pki.world().root, key=key, names=names)
    authority, server, private = folder_ / "ca.pem", folder_ / "server.pem", folder_ / "server.key"
    authority.write_bytes(pki.world().root.certificate.public_bytes(Encoding.PEM))
    server.write_bytes(certificate.public_bytes(Encoding.PEM))
    private.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return authority, server, private


class _Mails:
    """What the SMTP server does with mail."""

    def __init__(self) -> None:
        self.kept: list[bytes] = []
        self.refuses: set[str] = set()
        self.loses: set[str] = set()
        self.busy = False

    async def handle_DATA(  # noqa: N802 - aiosmtpd's name
        self, server: SMTP, session: Session, envelope: SmtpEnvelope
    ) -> str:
        octets = envelope.content or b""
        assert isinstance(octets, bytes)
        message_id = smime.read_letter(octets).subject.partition(" - ")[2]
        if message_id in self.refuses:
            return "554 no such message here (HTTP 400)"
        if self.busy:
            return "451 later"
        self.kept.append(octets)
        if message_id in self.loses:
            assert server.transport is not None
            server.transport.abort()  # type: ignore[attr-defined]
        return "250 kept"


class MailEnd:
    """aiosmtpd with STARTTLS and a login, pymap with STARTTLS; the operator's keys open and seal."""

    proves = False

    USER, PASSWORD, MAILBOX_PASSWORD = "lds", "tajne", "tajné heslo"

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="rozvodna-mail-"))
        authority, server, private = tls_files(self.folder)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(server, private)
        self.mails = _Mails()
        self.logins: list[str] = []

        def login(*given: Any) -> AuthResult:
            data = given[-1]
            self.logins.append(data.login.decode())
            return AuthResult(success=data.password == self.PASSWORD.encode(), handled=False)

        self.controller = Controller(
            self.mails, "127.0.0.1", port=free_port(), tls_context=context, require_starttls=True,
            authenticator=login, auth_required=True,
        )  # fmt: skip
        self.controller.start()
        self.imap = ImapServer(free_port(), context, self.USER, self.MAILBOX_PASSWORD)
        self.archive = FakeArchive()
        self.setting = MailSetting(
            Server("127.0.0.1", self.controller.port, "smtp+starttls", self.USER, self.PASSWORD, str(authority)),
            Mailbox(
                "127.0.0.1", self.imap.port, "imap+starttls", self.USER, self.MAILBOX_PASSWORD, ca_file=str(authority)
            ),
            "LDS Sever <lds@example.com>",
            "ote@example.com",
            [pki.world().ours, pki.world().ours_old],
            pki.world().operator,
        )
        self.channel = MailChannel(self.destination, self.archive, lambda: AT, self.setting)

    destination = Destination("mail", "ote@example.com", Environment.SANDBOX, "example.com")

    def go_down(self) -> None:
        self.channel.close()
        if not self.controller.loop.is_closed():
            self.controller.stop()
        self.imap.stop()

    def refuse(self, message_id: str) -> None:
        self.mails.refuses.add(message_id)

    def lose_receipt(self, message_id: str) -> None:
        self.mails.loses.add(message_id)

    def taken(self) -> list[tuple[str, bytes]]:
        found = []
        for octets in self.mails.kept:
            letter = smime.read_letter(octets)
            opened = smime.open_letter(letter, [pki.world().theirs], pki.world().us, AT)
            found.append((letter.subject.partition(" - ")[2], opened.content))
        return found

    def seal(self, identity: str, content: bytes) -> bytes:
        """A mail of the operator to us."""
        message = Outgoing(identity, "813", "sandbox-2026", content)
        return smime.seal(
            message, pki.world().theirs, [pki.world().ours.certificate], ("ote@example.com", "lds@example.com"), AT
        ).octets

    def put(self, octets: bytes) -> None:
        """Into our mailbox."""
        self.imap.start()
        assert self.setting.mailbox is not None
        with open_mailbox(self.setting.mailbox) as box:
            box.append(octets)

    def folders(self) -> dict[str, int]:
        """How many mails lie in which folder."""
        assert self.setting.mailbox is not None
        with open_mailbox(self.setting.mailbox) as box:
            return {each.name: box.folder.status(each.name)["MESSAGES"] for each in box.folder.list()}

    def offer(self, identity: str, content: bytes) -> bool:
        self.put(self.seal(identity, content))
        return True

    def close(self) -> None:
        self.go_down()
        shutil.rmtree(self.folder)


def free_port() -> int:
    """A loopback port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


class ImapServer:
    """pymap with one user, its mail in memory, in a thread of its own; `start` once it is needed."""

    def __init__(self, port: int, context: ssl.SSLContext, user: str, password: str) -> None:
        self.port = port
        self._world = context, user, password
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def start(self) -> None:
        """Serve from now on, if it does not already."""
        if not self._loop.is_running():
            self._thread.start()
            asyncio.run_coroutine_threadsafe(self._start(*self._world), self._loop).result(20)

    async def _start(self, context: ssl.SSLContext, user: str, password: str) -> None:
        arguments = Namespace(
            host="127.0.0.1", port=self.port, debug=False, cert=None, key=None, tls=True, passlib_cfg=None,
            proxy_protocol=None, demo_data=False, demo_user=user, demo_password=password,
        )  # fmt: skip
        backend, config = await DictBackend.init(arguments, ssl_context=context)
        config.apply_context()
        server = IMAPServer(backend.login, config)
        callback = ProxyProtocolReader(config.proxy_protocol).get_callback(server)
        self._server = await asyncio.start_server(callback, "127.0.0.1", self.port)

    def stop(self) -> None:
        if self._loop.is_running():
            asyncio.run_coroutine_threadsafe(self._end(), self._loop).result(20)
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(20)

    async def _end(self) -> None:
        self._server.close()
        sessions = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for session in sessions:
            session.cancel()
        await asyncio.gather(*sessions, return_exceptions=True)


class SoapEnd:
    """A web service over mutual TLS that signs its replies."""

    proves = True

    def __init__(self) -> None:
        end = self
        self.folder = Path(tempfile.mkdtemp(prefix="rozvodna-soap-"))
        authority, server, private = tls_files(self.folder)
        self.refuses: set[str] = set()
        self.loses: set[str] = set()
        self.status = 200
        self.reply: bytes | None = None
        self.payload = b"<Accepted/>"
        self.requests: list[tuple[str, str, bytes]] = []
        self.peers: list[str] = []

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                octets = self.rfile.read(int(self.headers["Content-Length"]))
                message_id = end.message_id_of(octets)
                if message_id in end.refuses:
                    text = f"does not take {message_id} in (HTTP 400)"
                    self.answer(500, wss.seal_fault(wss.Fault("Client", text), pki.world().theirs, AT))
                    return
                end.requests.append((self.path, str(self.headers["SOAPAction"]), octets))
                end.peers.append(str(self.connection.getpeercert()["subject"][-1]))  # type: ignore[attr-defined]
                if message_id in end.loses:
                    self.connection.close()
                    return
                reply = wss.seal_envelope(end.payload, pki.world().theirs, AT) if end.reply is None else end.reply
                self.answer(end.status, reply)

            def answer(self, status: int, body: bytes) -> None:
                self.send_response(status)
                self.send_header("Content-Type", "text/xml; charset=utf-8")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """Quiet."""

        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(server, private)
        context.load_verify_locations(authority)
        context.verify_mode = ssl.CERT_REQUIRED
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.handle_error = lambda *_: None  # type: ignore[method-assign]
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()
        self.url = f"https://127.0.0.1:{self.server.server_port}"
        self.archive = FakeArchive()
        services = {"*": Service("CDSService", f"{self.url}/CDSService", "urn:send")}
        setting = SoapSetting(services, [pki.world().ours, self._tls_key()], pki.world().operator, str(authority))
        self.setting = setting
        self.destination = Destination("soap", self.url, Environment.SANDBOX, "127.0.0.1")
        self.channel = SoapChannel(self.destination, self.archive, lambda: AT, setting, connect_s=2, answer_s=2)

    def _tls_key(self) -> OwnKey:
        key = pki.own("ours-tls", pki.world().root, "tls", organisation="LDS Sever")
        certificate, private = self.folder / "tls.pem", self.folder / "tls.key"
        certificate.write_bytes(key.certificate.public_bytes(Encoding.PEM))
        private.write_bytes(key.private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        return replace(key, files=(certificate, private, None))

    @staticmethod
    def message_id_of(octets: bytes) -> str:
        return str(wss.open_envelope(octets, pki.world().us, AT).payload and "121-1")

    def go_down(self) -> None:
        self.server.shutdown()
        self.server.server_close()

    def refuse(self, message_id: str) -> None:
        self.refuses.add(message_id)

    def lose_receipt(self, message_id: str) -> None:
        self.loses.add(message_id)

    def taken(self) -> list[tuple[str, bytes]]:
        found = []
        for _, _, octets in self.requests:
            found.append(("121-1", wss.open_envelope(octets, pki.world().us, AT).payload))
        return found

    def offer(self, identity: str, content: bytes) -> bool:
        """A direct reply with a market message in it is all that can be fetched."""
        self.payload = content
        self.channel.send(Outgoing("121-1", "121", "sandbox-2026", b"<CDSDATA/>"))
        return True

    def close(self) -> None:
        self.channel.close()
        self.go_down()
        shutil.rmtree(self.folder)
