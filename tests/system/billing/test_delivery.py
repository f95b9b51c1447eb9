"""Issued documents leave by mail, to a real mail server, and in print."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from datetime import timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from io import BytesIO
from typing import Any

import pikepdf
import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from central.invoicing.delivery.post import GIVEN_UP_AFTER, PAUSES, post_once
from central.invoicing.issue import issue_invoices
from central.platform.database import transaction
from central.platform.smtp import Server, Smtp
from central.settlement.runs import approve_run
from central.workflow.prepare import prepare
from shared.testing import ManualClock
from tests.system.billing.site import CLERK, NOW, POINTS, READER_TOKEN, BilledSite, settle_march

SENDER = "Fakturace <fakturace@example.cz>"


class Mailbox:
    """A mail server's end: keeps what it takes, answers addresses as told."""

    def __init__(self) -> None:
        self.taken: list[bytes] = []
        self.answers: dict[str, list[str]] = {}

    async def handle_RCPT(  # noqa: N802 - the server's name for it
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        told = self.answers.get(address, [])
        if told:
            return told.pop(0)
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802 - the server's name
        self.taken.append(bytes(envelope.content or b""))
        return "250 taken"

    def messages(self) -> list[Any]:
        return [message_from_bytes(content, policy=policy.default) for content in self.taken]


@pytest.fixture
def mailbox() -> Iterator[tuple[Mailbox, Smtp]]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    box = Mailbox()
    controller = Controller(box, hostname="127.0.0.1", port=port)
    controller.start()
    transport = Smtp(Server.of(f"smtp://127.0.0.1:{port}"))
    yield box, transport
    transport.close()
    controller.stop()


def issued(site: BilledSite) -> list[str]:
    with transaction(site.engine) as connection:
        prepare(connection, CLERK, NOW)
        run = settle_march(connection, site.clock).id
        approve_run(connection, run, CLERK, NOW)
        numbers = issue_invoices(connection, run, CLERK, NOW).numbers
    site.do("UPDATE party SET email = NULL")
    site.do(
        "UPDATE party SET email = 'p' || id || '@example.cz' WHERE id IN (SELECT payer FROM invoice"
        " WHERE number = ANY (:numbers))",
        numbers=numbers[:3],
    )
    return numbers


def test_documents_leave_once_and_every_answer_is_kept(site: BilledSite, mailbox: tuple[Mailbox, Smtp]) -> None:
    box, transport = mailbox
    numbers = issued(site)
    first, second, third = (
        site.one("SELECT p.email FROM invoice i JOIN party p ON p.id = i.payer WHERE number = :number", number=number)
        for number in numbers[:3]
    )
    assert len({first, second, third}) == 3
    box.answers = {second: ["450 greylisted"], third: ["550 no such user"]}
    clock = ManualClock(NOW)
    with site.client() as client:
        ordered = client.post("/v1/deliveries", json={"kind": "mail"}).json()
        with_address = site.one("SELECT count(*) FROM invoice i JOIN party p ON p.id = i.payer WHERE email IS NOT NULL")
        assert ordered["queued"] == with_address and len(ordered["left_out"]) == POINTS - with_address
        assert "has no mail address" in ordered["left_out"][0]["reason"]
        again = client.post("/v1/deliveries", json={"kind": "mail", "numbers": numbers[:1]}).json()
        assert again == {"queued": 0, "left_out": [{"number": numbers[0], "reason": "It is queued already."}]}

        while post_once(site.engine, clock, transport, SENDER):
            pass
        one = client.get("/v1/deliveries", params={"number": numbers[0]}).json()[0]
        assert (one["state"], one["attempts"]) == ("sent", 1)
        put_off = client.get("/v1/deliveries", params={"number": numbers[1]}).json()[0]
        assert (put_off["state"], put_off["answer"]) == ("deferred", "450 greylisted")
        refused = client.get("/v1/deliveries", params={"number": numbers[2]}).json()[0]
        assert (refused["state"], refused["answer"]) == ("refused", "550 no such user")
        assert site.one("SELECT state FROM invoice WHERE number = :n", n=numbers[0]) == "sent"
        assert site.one("SELECT state FROM invoice WHERE number = :n", n=numbers[1]) == "issued"

        clock.set(NOW + PAUSES[0])
        while post_once(site.engine, clock, transport, SENDER):
            pass
        assert client.get("/v1/deliveries", params={"number": numbers[1]}).json()[0]["state"] == "sent"

        mended = client.post("/v1/deliveries", json={"kind": "mail", "numbers": [numbers[2]], "to": "jina@example.cz"})
        assert mended.json() == {"queued": 1, "left_out": []}
        while post_once(site.engine, clock, transport, SENDER):
            pass
        back = client.get("/v1/deliveries", params={"number": numbers[0]}).json()[0]["id"]
        assert client.post(f"/v1/deliveries/{back}/withdraw", json={"why": "too late"}).status_code == 409
        assert client.post(f"/v1/deliveries/{back}/bounce", json={"why": "user unknown"}).json()["state"] == "bounced"
    messages = box.messages()
    assert sum(message["Subject"] == f"Doklad č. {numbers[0]}" for message in messages) == 1
    assert {message["To"] for message in messages} >= {first, second, "jina@example.cz"}
    files = {part.get_filename(): part.get_content() for part in messages[0].iter_attachments()}
    number = messages[0]["Subject"].removeprefix("Doklad č. ")
    stored = (
        "SELECT content FROM invoice_file f JOIN invoice i ON i.id = f.invoice WHERE number = :n AND f.kind = 'pdf'"
    )
    assert files[f"{number}.pdf"] == bytes(site.one(stored, n=number))
    assert f"{number}.isdoc" in files


def test_a_document_that_is_cancelled_does_not_leave(site: BilledSite, mailbox: tuple[Mailbox, Smtp]) -> None:
    box, transport = mailbox
    number, other, *_ = issued(site)
    with site.client() as client:
        for kind in ("mail", "print"):
            body = {"kind": kind, "numbers": [number, other]}
            assert client.post("/v1/deliveries", json=body).json() == {"queued": 2, "left_out": []}
        assert client.post(f"/v1/invoices/{number}/cancel", json={"reason": "omyl"}).status_code in (200, 201)
        told = client.get("/v1/deliveries", params={"number": number}).json()
        assert sorted((one["kind"], one["state"]) for one in told) == [("mail", "withdrawn"), ("print", "withdrawn")]
        assert all(one["answer"].endswith("omyl") for one in told)
        while post_once(site.engine, ManualClock(NOW), transport, SENDER):
            pass
        assert [message["Subject"] for message in box.messages()] == [f"Doklad č. {other}"]
        assert client.post("/v1/print-batches").json()["documents"] == 1


def test_who_dies_while_sending_sends_the_same_message_again(site: BilledSite, mailbox: tuple[Mailbox, Smtp]) -> None:
    box, transport = mailbox
    number = issued(site)[0]

    class Killed:
        def send(self, message: EmailMessage) -> str:
            transport.send(message)
            raise KeyboardInterrupt

    clock = ManualClock(NOW)
    with site.client() as client:
        client.post("/v1/deliveries", json={"kind": "mail", "numbers": [number]})
        with pytest.raises(KeyboardInterrupt):
            post_once(site.engine, clock, Killed(), SENDER)
        assert client.get("/v1/deliveries").json()[0]["state"] == "sending"
        assert post_once(site.engine, clock, transport, SENDER) == 0
        clock.set(NOW + GIVEN_UP_AFTER + timedelta(seconds=1))
        assert post_once(site.engine, clock, transport, SENDER) == 1
        assert client.get("/v1/deliveries").json()[0]["state"] == "sent"
    assert len({message["Message-ID"] for message in box.messages()}) == 1 and len(box.taken) == 2


def test_a_mail_that_cannot_be_written_waits_with_its_reason_and_the_others_go(
    site: BilledSite, mailbox: tuple[Mailbox, Smtp]
) -> None:
    box, transport = mailbox
    first, second, *_ = issued(site)
    with site.client() as client:
        assert client.post("/v1/deliveries", json={"kind": "mail", "numbers": [first, second]}).json()["queued"] == 2
        site.do("UPDATE delivery SET address = E'a@example.cz\nb@example.cz' WHERE number = :n", n=first)
        clock = ManualClock(NOW)
        while post_once(site.engine, clock, transport, SENDER):
            pass
        odd = client.get("/v1/deliveries", params={"number": first}).json()[0]
        assert odd["state"] == "deferred" and odd["answer"].startswith("The message cannot be written: ")
        assert client.get("/v1/deliveries", params={"number": second}).json()[0]["state"] == "sent"
        for pause in PAUSES:
            clock.set(clock.now() + pause)
            post_once(site.engine, clock, transport, SENDER)
        assert client.get("/v1/deliveries", params={"number": first}).json()[0]["state"] == "refused"
    assert [message["Subject"] for message in box.messages()] == [f"Doklad č. {second}"]


def test_what_waits_for_print_is_one_file(site: BilledSite) -> None:
    numbers = issued(site)
    with site.client() as client:
        assert client.post("/v1/print-batches").status_code == 409
        assert client.post("/v1/deliveries", json={"kind": "print", "numbers": numbers[:4]}).json()["queued"] == 4
        batch = client.post("/v1/print-batches").json()
        assert batch["documents"] == 4
        content = client.get(f"/v1/print-batches/{batch['batch']}/pdf").content
        assert content == client.get(f"/v1/print-batches/{batch['batch']}/pdf").content
        with pikepdf.open(BytesIO(content)) as whole:
            assert len(whole.pages) >= 8 and len(whole.pages) % 2 == 0
        assert client.get("/v1/print-batches/999/pdf").status_code == 404
        assert [row["documents"] for row in client.get("/v1/print-batches").json()] == [4]
        listed = client.get("/v1/deliveries", params={"kind": "print"}).json()
        assert {row["state"] for row in listed} == {"sent"}
        # nobody can put a letter into a box that has no address
        site.do("UPDATE party SET city = ' ' WHERE id = (SELECT payer FROM invoice WHERE number = :n)", n=numbers[4])
        told = client.post("/v1/deliveries", json={"kind": "print", "numbers": [numbers[4]]}).json()
        assert (told["queued"], len(told["left_out"])) == (0, 1)
        assert "has no postal address" in told["left_out"][0]["reason"]
    with site.client(READER_TOKEN) as reader:
        assert reader.post("/v1/deliveries", json={"kind": "print", "numbers": numbers[4:5]}).status_code == 403


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        ({"kind": "mail", "numbers": ["2699999999"]}, 404, "There is no document 2699999999"),
        ({"kind": "print", "numbers": ["2600000001"], "to": "a@example.cz"}, 422, "the mail of one document"),
        ({"kind": "mail", "to": "a@example.cz"}, 422, "the mail of one document"),
        ({"kind": "pigeon"}, 422, "mail"),
    ],
)
def test_a_wrong_order_is_a_sentence(site: BilledSite, body: dict[str, Any], status: int, words: str) -> None:
    with site.client() as client:
        answer = client.post("/v1/deliveries", json=body)
    assert answer.status_code == status and words in answer.json()["message"]
