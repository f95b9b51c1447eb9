"""The settings' file: read whole, or refused in a sentence."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from fastapi import FastAPI

from central.market.channels.allowed import Environment
from central.market.channels.config import ChannelSettings, read_settings
from central.market.channels.open_channels import carried_by, channel_settings
from central.market.channels.service import uvicorn_config
from central.market.errors import OutboundError
from central.market.testing import AT, FakeArchive
from central.platform.errors import BadInput
from central.platform.settings import Settings

from .pki import OPERATOR, world

SERVER = {"url": "smtp+starttls://127.0.0.1:2525", "user": "lds", "password_file": "secret"}


def usual(folder: Path) -> dict[str, Any]:
    for name, key in (("ours", world().ours), ("theirs", world().theirs)):
        (folder / f"{name}.pem").write_bytes(key.certificate.public_bytes(Encoding.PEM))
        private = key.private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        (folder / f"{name}.key").write_bytes(private)
    (folder / "root.pem").write_bytes(world().root.certificate.public_bytes(Encoding.PEM))
    (folder / "secret").write_text("tajne\n")
    return {
        "keys": [{"name": "ours", "roles": ["sign", "decrypt"], "certificate": "ours.pem", "key": "ours.key"}],
        "counterparties": [{"code": OPERATOR, "anchors": ["root.pem"], "encrypt_for": ["theirs.pem"],
                            "subject": {"organizationName": "OTE, a.s."}}],
        "channels": [
            {
                "kind": "mail", "name": "ote-mail", "environment": "sandbox", "counterparty": OPERATOR, "codes": ["*"],
                "smtp": SERVER, "imap": {**SERVER, "url": "imaps://127.0.0.1"},
                "sender": "a@b.cz", "receiver": "o@example.com",
            },
            {
                "kind": "soap", "name": "ote-soap", "environment": "sandbox", "counterparty": OPERATOR,
                "services": [{"name": "CDSService", "url": "https://sand.example.com/CDSService", "codes": ["121"]}],
            },
            {
                "kind": "folder", "name": "house", "environment": "sandbox", "counterparty": OPERATOR,
                "codes": ["GP6"], "folder": "x",
            },
            {"kind": "http", "name": "training", "codes": ["111"], "url": "sandbox+http://127.0.0.1:1/messages"},
        ],
        "callback": {
            "channel": "ote-soap", "environment": "sandbox", "counterparty": OPERATOR, "tls_key": "ours",
            "client_ca_file": "root.pem",
        },
    }  # fmt: skip


def read(folder: Path, data: dict[str, Any]) -> ChannelSettings:
    path = folder / "channels.json"
    path.write_text(json.dumps(data))
    return read_settings(path)


def test_the_whole_file(tmp_path: Path) -> None:
    found = read(tmp_path, usual(tmp_path))
    channels = found.open_channels(FakeArchive(), lambda: AT)
    assert [(name, channel.destination.environment) for name, channel in channels.items()] == [
        (name, Environment.SANDBOX) for name in ("ote-mail", "ote-soap", "house", "training")
    ]
    for channel in channels.values():
        channel.close()
    codes = found.codes_of()
    assert carried_by(codes, "ote-soap").only == {"121"}
    assert carried_by(codes, "ote-mail").only is None
    assert carried_by(codes, "ote-mail").others == {"121", "GP6", "111"}
    assert {(each.holder, each.roles) for each in found.watched()} == {
        ("ours", ("sign", "decrypt")),
        (OPERATOR, ("anchor",)),
        (OPERATOR, ("encrypt",)),
    }
    assert "tajne" not in repr(found) and "tajne" not in repr(vars(channels["ote-mail"]))


def test_the_call_back_server_asks_for_certificates_or_stays_on_this_machine(tmp_path: Path) -> None:
    data = usual(tmp_path)
    config = uvicorn_config(read(tmp_path, data), FastAPI())
    assert config.ssl_cert_reqs == 2 and config.ssl_ca_certs == str(tmp_path / "root.pem")
    data["callback"] = {**data["callback"], "tls_key": None}
    assert not uvicorn_config(read(tmp_path, data), FastAPI()).is_ssl
    data["callback"]["host"] = "0.0.0.0"
    with pytest.raises(BadInput, match="without TLS"):
        uvicorn_config(read(tmp_path, data), FastAPI())
    data["callback"] = {**data["callback"], "tls_key": "ours", "client_ca_file": None}
    with pytest.raises(BadInput, match="client_ca_file"):
        uvicorn_config(read(tmp_path, data), FastAPI())


def change(path: str, value: Any) -> Any:
    def apply(data: dict[str, Any]) -> None:
        *way, last = path.split(".")
        here: Any = data
        for step in way:
            here = here[int(step)] if step.isdigit() else here[step]
        here[int(last) if last.isdigit() else last] = value

    return apply


@pytest.mark.parametrize(
    ("apply", "says"),
    [
        (change("channels.0.kind", "pigeon"), "not in the expected form"),
        (change("channels.0.password", "x"), "not in the expected form"),
        (change("channels.0.environment", "test"), "not in the expected form"),
        (change("channels.1.name", "ote-mail"), "'ote-mail' stands twice"),
        (change("channels.2.codes", ["121"]), "'121' stands twice"),
        (change("channels.0.counterparty", "1"), "counterparty '1' is named and not described"),
        (change("channels.1.services", []), "has no services"),
        (change("channels.1.services.0.url", "http://sand.example.com/"), "must be https"),
        (change("counterparties.0.anchors", ["none.pem"]), r"none\.pem cannot be read"),
        (change("counterparties.0.subject", {"colour": "red"}), "'colour' is not known"),
        (change("keys.0.key", "theirs.key"), "does not belong to the certificate"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, apply: Any, says: str) -> None:
    data = usual(tmp_path)
    apply(data)
    with pytest.raises(BadInput, match=says):
        read(tmp_path, data)


def test_a_password_does_not_travel_in_the_clear(tmp_path: Path) -> None:
    data = usual(tmp_path)
    data["channels"][0]["smtp"] = {**SERVER, "url": "smtp://mail.example.com"}
    with pytest.raises(BadInput, match="password unencrypted"):
        read(tmp_path, data).open_channels(FakeArchive(), lambda: AT)


def test_the_operator_is_no_sandbox(tmp_path: Path) -> None:
    data = usual(tmp_path)
    data["channels"][1]["services"][0]["url"] = "https://portal.sand.ote-cr.cz/CDSService"
    with pytest.raises(OutboundError, match="cannot be marked as a sandbox"):
        read(tmp_path, data)
    data = usual(tmp_path)
    data["channels"][0]["receiver"] = "cds@ote-cr.cz"
    with pytest.raises(OutboundError, match="cannot be marked as a sandbox"):
        read(tmp_path, data).open_channels(FakeArchive(), lambda: AT)


def test_the_file_is_read_anew_when_it_changed(tmp_path: Path) -> None:
    read(tmp_path, usual(tmp_path))
    settings = Settings(market_channels_file=tmp_path / "channels.json")
    first = channel_settings(settings)
    assert first is not None and channel_settings(settings) is first
    read(tmp_path, {**usual(tmp_path), "warn_days": 60})
    second = channel_settings(settings)
    assert second is not None and second.source.warn_days == 60
    with pytest.raises(BadInput, match="cannot be read"):
        channel_settings(Settings(market_channels_file=tmp_path / "none.json"))
    assert channel_settings(Settings()) is None
