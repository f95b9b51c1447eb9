"""A document as a mail message. Pure; `platform.smtp` hands it to a server."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from email import policy
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime
from typing import Protocol

from central.platform.errors import BadInput

TEXTS: Mapping[str, tuple[str, str]] = {
    "cs": (
        "Doklad č. {number}",
        "Dobrý den,\n\nv příloze Vám zasíláme doklad č. {number} (PDF, ISDOC).{pay}\n\nS pozdravem\n{seller}\n",
    ),
    "en": (
        "Document no. {number}",
        "Dear customer,\n\nplease find attached the document no. {number} (PDF, ISDOC).{pay}\n\n"
        "Yours faithfully\n{seller}\n",
    ),
}
"""By language: subject and body."""
PAY: Mapping[str, str] = {
    "cs": "\n\nK úhradě: {amount} do {due}, variabilní symbol {symbol}.",
    "en": "\n\nTo be paid: {amount} by {due}, variable symbol {symbol}.",
}


@dataclass(frozen=True, slots=True)
class Parcel:
    """What is sent: the issued files of a document and what the message says of it; `payable` None: nothing is."""

    delivery: int
    number: str
    language: str
    seller: str
    address: str
    message_id: str
    payable: str | None
    due: str
    symbol: str
    files: Mapping[str, bytes]


class Transport(Protocol):
    """Hands a message to a mail server. Raises PutOffError or TurnedDownError with the server's words."""

    def send(self, message: EmailMessage) -> str: ...


def require_address(text: str) -> str:
    """A mail address in the form name@domain; BadInput otherwise."""
    cleaned = text.strip()
    name, at, domain = cleaned.rpartition("@")
    if not at or not name or "." not in domain or not cleaned.isascii() or not cleaned.isprintable() or " " in cleaned:
        raise BadInput("mail_address", f"The mail address {text!r} is not in the form name@domain; correct it.")
    try:
        Address(addr_spec=cleaned)
    except (ValueError, IndexError) as error:
        raise BadInput("mail_address", f"The mail address {text!r} cannot be used: {error}.") from error
    return cleaned


def message_of(parcel: Parcel, sender: str, at: datetime) -> EmailMessage:
    """The message of a document with its files attached; the same parcel has the same Message-ID whenever it goes."""
    language = parcel.language if parcel.language in TEXTS else "cs"
    subject, body = TEXTS[language]
    pay = ""
    if parcel.payable is not None:
        pay = PAY[language].format(amount=parcel.payable, due=parcel.due, symbol=parcel.symbol)
    message = EmailMessage(policy=policy.SMTP)
    message["From"] = sender
    message["To"] = parcel.address
    message["Subject"] = subject.format(number=parcel.number)
    message["Date"] = format_datetime(at)
    message["Message-ID"] = parcel.message_id
    message.set_content(body.format(number=parcel.number, pay=pay, seller=parcel.seller))
    types = {"pdf": ("application", "pdf"), "isdoc": ("application", "xml")}
    for kind, content in sorted(parcel.files.items(), reverse=True):
        main, sub = types[kind]
        message.add_attachment(content, maintype=main, subtype=sub, filename=f"{parcel.number}.{kind}")
    return message
