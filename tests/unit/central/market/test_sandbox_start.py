"""What a sandbox makes at its start: throw-away certificates, and settings that the participant's channels read."""

from __future__ import annotations

import socket
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from central.market.channels import wss
from central.market.channels.config import read_settings
from central.market.channels.keys import in_force
from central.market.errors import FormatError, InboundError
from central.market.sandbox import authority
from central.market.sandbox.command import _hold, _listen, parse_arguments
from central.market.sandbox.journal import Journal
from central.market.sandbox.secure import FOLDER, Doors, Ports, make_doors
from central.market.testing import FakeArchive

AT = datetime(2026, 4, 1, 6, 0, tzinfo=UTC)
SENDER, OPERATOR = "8591824900017", "8591824000007"


def doors_in(folder: Path) -> Doors:
    return make_doors(folder, "127.0.0.1", Ports(1, 2, 3, 4), SENDER, OPERATOR, AT, ["121"])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("sandbox")
    doors_in(made)
    return made


def test_the_settings_it_writes_open_both_channels(folder: Path) -> None:
    settings = read_settings(folder / FOLDER / "channels.json")
    assert settings.codes_of() == {"sandbox-soap": ["*"], "sandbox-mail": ["121"]}
    channels = settings.open_channels(FakeArchive(), lambda: AT)
    assert [channel.destination.environment for channel in channels.values()] == ["sandbox", "sandbox"]
    assert channels["sandbox-soap"].destination.address == "https://127.0.0.1:1/ote/CDSService"
    assert settings.callback().counterparty.code == OPERATOR
    assert settings.source.callback is not None and settings.source.callback.port == 4


def test_both_ends_believe_each_other_and_nobody_else(folder: Path, tmp_path: Path) -> None:
    ours, doors = read_settings(folder / FOLDER / "channels.json"), doors_in(folder)
    for at in (AT, datetime.now(UTC), AT + timedelta(days=3000)):
        sealed = wss.seal_envelope(b"<a/>", in_force(ours.keys, "sign", at), at)
        assert wss.open_envelope(sealed, doors.them(), at).payload == b"<a></a>"
        answer = wss.seal_envelope(b"<b/>", doors.authority.key("operator", "sign"), at)
        assert wss.open_envelope(answer, ours.counterparties[OPERATOR], at).payload == b"<b></b>"
        with pytest.raises(InboundError):
            wss.open_envelope(answer, doors.them(), at)
    stranger = doors_in(tmp_path)
    with pytest.raises(InboundError) as refused:
        wss.open_envelope(sealed, stranger.them(), at)
    assert refused.value.code == "untrusted_certificate"


def test_a_restart_uses_the_same_certificates(folder: Path) -> None:
    before = {path.name: path.read_bytes() for path in (folder / FOLDER).iterdir()}
    doors_in(folder)
    assert {path.name: path.read_bytes() for path in (folder / FOLDER).iterdir()} == before
    secret = [path for path in (folder / FOLDER).iterdir() if path.suffix in {".key", ".password"}]
    assert len(secret) == 5
    assert {path.stat().st_mode & 0o777 for path in secret} == {0o600}


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["--callback", "http://127.0.0.1:1/callback"],
        ["--secure", "--port", "70000"],
        ["--secure", "--port", "abc"],
        ["--secure", "--imap-port", "-1"],
        ["--secure", "--sender", "8591824900018"],
        ["--secure", "--mail-server", "mail.example.com"],
    ],
)
def test_what_it_cannot_be_started_with(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        parse_arguments(words, "rozvodna market sandbox")
    said = capsys.readouterr().err.splitlines()[-1]
    assert ended.value.code == 2
    assert said.startswith("rozvodna market sandbox: error: ") and "invalid _" not in said


def test_a_port_that_is_taken_is_said_with_its_option() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(FormatError, match=rf"port {port} of 127\.0\.0\.1 .* by --smtp-port"):
            _listen("127.0.0.1", port, "--smtp-port")


def test_a_folder_is_of_one_sandbox_at_a_time(tmp_path: Path) -> None:
    with _hold(tmp_path / "sandbox"), pytest.raises(FormatError, match=r"runs already in .*another --folder"):
        _hold(tmp_path / "sandbox")
    _hold(tmp_path / "sandbox").close()


@pytest.mark.parametrize("line", [b"{bad", b"{}", b"\xff"])
def test_what_is_no_journal_is_said_and_left(tmp_path: Path, line: bytes) -> None:
    (tmp_path / "journal.jsonl").write_bytes(line + b"\n")
    with pytest.raises(FormatError, match=r"Line 1 of .*journal\.jsonl is no entry"):
        Journal(tmp_path)
    assert (tmp_path / "journal.jsonl").read_bytes() == line + b"\n"


def test_certificates_are_made_anew_for_another_host_or_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    key = authority.generate_private_key(65537, 2048)
    monkeypatch.setattr(authority, "generate_private_key", lambda *_: key)

    def certificate(*hosts: str, at: datetime = AT) -> bytes:
        return (authority.make_authority(tmp_path, hosts, at).folder / "operator-tls.pem").read_bytes()

    first = certificate("127.0.0.1", "localhost")
    assert certificate("localhost") == first
    second = certificate("127.0.0.1", "10.0.0.1")
    assert second != first
    (tmp_path / "operator-tls.pem").write_bytes(b"torn")
    third = certificate("10.0.0.1")
    assert third != second
    assert certificate("10.0.0.1", at=AT + timedelta(days=9000)) != third


def test_usual_arguments() -> None:
    arguments = parse_arguments(["--secure"])
    assert (arguments.host, arguments.port, arguments.soap_port) == ("127.0.0.1", 8760, 8761)
    assert "GP6" in arguments.mail_codes.split(",")
