"""The register of market participants (registrovaní účastníci trhu).

Documented: GetRutList with items `Rut`. Series `ote.participant`, key the participant's Id; names of fields are turned
into ours where we know them, and all others are kept under their own.
"""

from collections.abc import Sequence
from datetime import date
from typing import Any, Final

import msgspec

from central.platform.external.values import Value
from central.workflow.external.adapter import Adapter, NoParameters, Part, UnreadableError
from central.workflow.external.ote_soap import ADDRESSES, Item, question, read_answer
from central.workflow.external.records import each_once, keep

OPERATION: Final = "GetRutList"
_KNOWN: Final = {
    "Id": "id",
    "Ean": "ean",
    "Eic": "eic",
    "VatNo": "vat_number",
    "Company": "name",
    "RegistrationDate": "registered_on",
}


class Settings(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """There is nothing to set."""


def parts(_: Settings, __: NoParameters, ___: date) -> Sequence[Part]:
    """One call: the service gives the whole register."""
    return (question(OPERATION, {}),)


def read(octets: bytes, _: Settings) -> Sequence[Value]:
    """The participants of an answer."""
    operation, items = read_answer(octets)
    if operation != OPERATION:
        raise UnreadableError(f"The answer is to {operation}, not the register of participants.")
    if not items:
        raise UnreadableError("The answer is a register without participants.")
    return each_once(_value(item) for item in items)


def _value(item: Item) -> Value:
    item.text("Company")
    content: dict[str, Any] = {_KNOWN.get(name, name): value for name, value in item.fields.items() if value}
    return Value("ote.participant", item.text("Id"), content)


ADAPTER: Final = Adapter(
    name="ote-participants",
    title="Register of market participants (RÚT)",
    mark="documented",
    addresses=ADDRESSES,
    settings=Settings,
    parameters=NoParameters,
    parts=parts,
    read=read,
    store=keep,
)
