"""Documents as messages, what a server's answers mean, and the states of a delivery."""

import smtplib
from datetime import UTC, datetime
from email import message_from_bytes, policy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from central.invoicing.delivery.mail import Parcel, message_of, require_address
from central.invoicing.delivery.states import STATES, TRANSITIONS, UNDER_WAY, following
from central.platform.errors import BadInput
from central.platform.smtp import PutOffError, Server, Smtp, TurnedDownError

AT = datetime(2026, 4, 10, 8, 0, tzinfo=UTC)


def parcel(**changes: Any) -> Parcel:
    usual = {
        "delivery": 1,
        "number": "2600000001",
        "language": "cs",
        "seller": "Dřevo & syn, a.s.",
        "address": "ucetni@example.cz",
        "message_id": "<2600000001.1@rozvodna>",
        "payable": "159995,50 Kč",
        "due": "24. 4. 2026",
        "symbol": "2600000001",
        "files": {"pdf": b"%PDF-1.7 x", "isdoc": b"<Invoice/>"},
    }
    return Parcel(**{**usual, **changes})


@pytest.mark.parametrize(
    ("language", "subject", "words"),
    [
        ("cs", "Doklad č. 2600000001", "K úhradě: 159995,50 Kč do 24. 4. 2026, variabilní symbol 2600000001."),
        ("en", "Document no. 2600000001", "To be paid: 159995,50 Kč by 24. 4. 2026, variable symbol 2600000001."),
    ],
)
def test_a_document_leaves_whole_and_in_its_language(language: str, subject: str, words: str) -> None:
    sent = message_of(parcel(language=language), "Fakturace <fakturace@example.cz>", AT).as_bytes()
    read = message_from_bytes(sent, policy=policy.default)
    assert (read["Subject"], read["To"], read["Message-ID"]) == (
        subject,
        "ucetni@example.cz",
        "<2600000001.1@rozvodna>",
    )
    assert words in read.get_body().get_content()
    files = {part.get_filename(): part.get_content() for part in read.iter_attachments()}
    assert files["2600000001.pdf"] == b"%PDF-1.7 x"
    assert files["2600000001.isdoc"] == b"<Invoice/>"


def test_nothing_to_pay_is_not_asked_for() -> None:
    body = message_of(parcel(payable=None), "a@example.cz", AT).get_body()
    assert body is not None and "K úhradě" not in body.get_content()


@pytest.mark.parametrize(
    "text", ["", "kdo", "@example.cz", "a@b", "a b@example.cz", "a@example.cz\nBcc: x@y.cz", "á@b.cz"]
)
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(BadInput, match=r"name@domain|cannot be used"):
        require_address(text)


@given(st.text(max_size=40))
def test_an_address_is_taken_or_refused_and_never_ends_a_header(text: str) -> None:
    try:
        address = require_address(text)
    except BadInput:
        return
    message = message_of(parcel(address=address), "a@example.cz", AT)
    assert message.as_bytes().count(b"\r\nTo: ") == 1 and "Bcc" not in message


@pytest.mark.parametrize(
    ("url", "server"),
    [
        ("smtp://127.0.0.1:2525", Server("127.0.0.1", 2525, "smtp", None, None)),
        ("smtp+starttls://u%40x:p%2Fw@mail.example.cz", Server("mail.example.cz", 587, "smtp+starttls", "u@x", "p/w")),
        ("smtps://mail.example.cz", Server("mail.example.cz", 465, "smtps", None, None)),
    ],
)
def test_servers_are_told_by_url(url: str, server: Server) -> None:
    assert Server.of(url) == server


@pytest.mark.parametrize("url", ["http://mail", "smtp://", "mail.example.cz"])
def test_another_url_is_refused_without_its_password(url: str) -> None:
    with pytest.raises(BadInput, match="ROZVODNA_SMTP_URL"):
        Server.of(url)


class Told:
    """A server that answers as told."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    def send_message(self, message: object) -> None:
        raise self.error

    def close(self) -> None: ...


@pytest.mark.parametrize(
    ("answer", "verdict"),
    [
        (smtplib.SMTPRecipientsRefused({"a@b.cz": (550, b"no such user")}), TurnedDownError),
        (smtplib.SMTPRecipientsRefused({"a@b.cz": (451, b"greylisted")}), PutOffError),
        (smtplib.SMTPDataError(554, b"spam"), TurnedDownError),
        (smtplib.SMTPDataError(452, b"full"), PutOffError),
        (smtplib.SMTPAuthenticationError(535, b"bad password"), PutOffError),
        (smtplib.SMTPServerDisconnected("gone"), PutOffError),
        (ConnectionRefusedError("refused"), PutOffError),
    ],
)
def test_what_a_server_answers_is_for_now_or_for_good(answer: Exception, verdict: type[Exception]) -> None:
    transport = Smtp(Server.of("smtp://127.0.0.1:1"))
    transport._open = Told(answer)  # type: ignore[assignment] # a stand-in for the one call that is made
    with pytest.raises(verdict):
        transport.send(message_of(parcel(), "a@example.cz", AT))


def test_states_lead_only_to_states_and_what_left_is_not_taken_back() -> None:
    assert {state for state, _ in TRANSITIONS} | set(TRANSITIONS.values()) == set(STATES)
    assert {state for state, event in TRANSITIONS if event == "withdraw"} < set(UNDER_WAY)
    assert following("sending", "withdraw") is None
    assert following("sent", "bounce") == "bounced"
