"""Own octets that come back on a 2-wire line whose adapter hears itself: pure.

They are taken away exactly: as many as were sent and only if they are the same. One that differs means that somebody
else spoke at the same time, or that the line is disturbed; what follows cannot be trusted either.
"""

from typing import Final

from edge.errors import CollisionError

SUSPECT_AFTER: Final = 3


class Echo:
    """Takes the echo out of what comes."""

    def __init__(self) -> None:
        self._expected = b""

    @property
    def outstanding(self) -> int:
        """Octets whose echo has not come yet."""
        return len(self._expected)

    def sent(self, octets: bytes) -> None:
        """They will come back."""
        self._expected += octets

    def forget(self) -> None:
        """What was sent and has not come back will not be waited for."""
        self._expected = b""

    def without(self, octets: bytes) -> bytes:
        """`octets` without the echo at their beginning; raises `CollisionError` if it differs."""
        length = min(len(self._expected), len(octets))
        if octets[:length] == self._expected[:length]:
            self._expected = self._expected[length:]
            return octets[length:]
        place = next(n for n in range(length) if octets[n] != self._expected[n])
        sent = self._expected[place]
        self.forget()
        raise CollisionError(
            f"The echo of what was sent differs: {octets[place]:02x} was heard where {sent:02x} was sent. Another "
            "master or a meter spoke at the same time, or the line does not echo; then set echo to false."
        )


class EchoWatch:
    """Notices a line that echoes and is not configured so: several requests in a row came back before the answer.

    A lone copy is no proof: some answers (Modbus function 6) are copies of their requests.
    """

    def __init__(self) -> None:
        self._request = b""
        self._heard = b""
        self._seen = 0

    def sent(self, octets: bytes) -> bool:
        """A request goes out. True, once, if the requests before it were echoed."""
        if self._request:
            longer = len(self._heard) > len(self._request)
            self._seen = self._seen + 1 if longer and self._heard.startswith(self._request) else 0
        self._request, self._heard = octets, b""
        return self._seen == SUSPECT_AFTER

    def heard(self, octets: bytes) -> None:
        """Octets came."""
        if len(self._heard) <= len(self._request):
            self._heard += octets
