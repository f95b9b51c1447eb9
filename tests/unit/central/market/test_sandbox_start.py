"""What a sandbox makes at its start: throw-away certificates, and settings that the participant's channels read."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from central.market.channels import wss
from central.market.channels.config import read_settings
from central.market.channels.keys import in_force
from central.market.errors import InboundError
from central.market.sandbox.command import parse_arguments
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
        ["--secure", "--sender", "8591824900018"],
    ],
)
def test_what_it_cannot_be_started_with(words: list[str]) -> None:
    with pytest.raises(SystemExit):
        parse_arguments(words)


def test_usual_arguments() -> None:
    arguments = parse_arguments(["--secure"])
    assert (arguments.host, arguments.port, arguments.soap_port) == ("127.0.0.1", 8760, 8761)
    assert "GP6" in arguments.mail_codes.split(",")
