"""The one error of the embedded stack."""

from __future__ import annotations

__all__ = ["StackError"]


class StackError(Exception):
    """The stack cannot do what was asked; the message is a sentence that says why and what to do."""
