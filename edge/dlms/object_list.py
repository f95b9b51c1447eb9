"""The association's object list (class 15, attribute 2): what a meter has, and what this client may do with it."""

from dataclasses import dataclass
from enum import IntFlag
from typing import Any, Final

from edge.dlms.errors import ProtocolError
from edge.dlms.read_profile import Getter
from shared.identifiers import Obis

ASSOCIATION: Final = Obis(0, 0, 40, 0, 0)
ASSOCIATION_CLASS: Final = 15


class Access(IntFlag):
    """Rights to an attribute. Meters after version 3 of the class tell more bits: authenticated, encrypted, ..."""

    NONE = 0
    READ = 1
    WRITE = 2


@dataclass(frozen=True, slots=True)
class ListedObject:
    """One instance of the object list."""

    class_id: int
    version: int
    obis: Obis
    attributes: dict[int, int]
    """Access by attribute: as the meter tells it, bits 0 and 1 are `Access`."""
    selectors: dict[int, tuple[int, ...]]
    """Access selectors by attribute (1 range, 2 entry), where any are told."""
    methods: dict[int, int]
    """Access by method; 0 is none."""

    def readable(self, attribute: int) -> bool:
        """Whether the client may read it."""
        return bool(self.attributes.get(attribute, 0) & Access.READ)


async def read_object_list(meter: Getter, association: Obis = ASSOCIATION) -> list[ListedObject]:
    """All objects that the association names; raises ProtocolError for a list that cannot be understood."""
    listed = await meter.get(ASSOCIATION_CLASS, association, 2)
    if not isinstance(listed, list):
        raise ProtocolError(f"an object list {listed!r:.60}", "an array")
    return [_object(element) for element in listed]


def _object(element: Any) -> ListedObject:
    match element:
        case (int(class_id), int(version), bytes(name), (list(attributes), list(methods))) if len(name) == 6:
            rights: dict[int, int] = {}
            selectors: dict[int, tuple[int, ...]] = {}
            for each in attributes:
                number, access, chosen = _attribute(each)
                rights[number] = access
                if chosen:
                    selectors[number] = chosen
            return ListedObject(
                class_id, version, Obis.from_bytes(name), rights, selectors, dict(_method(each) for each in methods)
            )
    raise ProtocolError(f"an object {element!r:.120}", "class, version, logical name and access rights")


def _attribute(element: Any) -> tuple[int, int, tuple[int, ...]]:
    match element:
        case (int(number), int(access), None):
            return number, access, ()
        case (int(number), int(access), list(selectors)) if all(isinstance(each, int) for each in selectors):
            return number, access, tuple(selectors)
    raise ProtocolError(f"access rights {element!r:.80}", "attribute, access and selectors")


def _method(element: Any) -> tuple[int, int]:
    match element:
        case (int(number), int(access)):  # a boolean in older versions
            return number, int(access)
    raise ProtocolError(f"access rights {element!r:.80}", "method and access")
