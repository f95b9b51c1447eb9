"""Texts that documents can hold: what XML forbids and no font shows is not worth a document that cannot be made."""

import re
from typing import Any

_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
"""Control characters other than tab and line ends, half surrogates, and what is no character."""


def clean(text: str) -> str:
    """A text with a space in the place of each character that XML forbids or that nobody could read."""
    return _FORBIDDEN.sub(" ", text)


def is_clean(text: str) -> bool:
    """Whether `clean` leaves a text as it is."""
    return _FORBIDDEN.search(text) is None


def clean_all(value: Any) -> Any:
    """All texts in a value of dicts and lists, cleaned."""
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, dict):
        return {name: clean_all(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [clean_all(each) for each in value]
    return value
