"""The errors that a user may see: a code for programs, a sentence for people, and the HTTP status they travel under."""

from typing import Any


class DomainError(Exception):
    """Base of all errors with a meaning in the field.

    `code` is stable and machine readable ("supply_point_not_found"), `message` is a whole sentence that names the
    thing, the value, what was expected and what to do. Raise a subclass; the API turns it into
    `{"code": ..., "message": ...}` with `status`.
    """

    status: int = 500

    def __init__(self, code: str, message: str, status: int | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        if status is not None:
            self.status = status

    def __reduce__(self) -> tuple[Any, ...]:
        # one that was raised in a process of a pool has to reach the other side, whatever its constructor takes
        return _again, (type(self), self.message, self.__dict__)


def _again(kind: type[DomainError], message: str, said: dict[str, Any]) -> DomainError:
    error = kind.__new__(kind, message)
    error.__dict__.update(said)
    return error


class BadInput(DomainError):  # noqa: N818 - named as the field says it
    """What was given cannot be understood or breaks a rule of form (422)."""

    status = 422


class NotFound(DomainError):  # noqa: N818 - named as the field says it
    """The thing that was named does not exist (404)."""

    status = 404


class Refused(DomainError):  # noqa: N818 - named as the field says it
    """The act is understood and not allowed in the present state (409)."""

    status = 409


class NotIdentified(DomainError):  # noqa: N818 - named as the field says it
    """No valid token was given (401)."""

    status = 401


class NotAllowed(DomainError):  # noqa: N818 - named as the field says it
    """The person is known and lacks the right (403)."""

    status = 403
