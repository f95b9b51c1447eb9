"""One question to a place outside, with limits: of time for connecting and in all, of octets packed and unpacked.

Redirects are followed on the same host and scheme only, for questions without a body. Nothing is raised: an answer says
what came or why nothing did.
"""

import asyncio
import time
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urljoin

import httpx

from central.platform.errors import BadInput
from central.platform.external.trust import place, split

REDIRECTS: Final = 3
_REDIRECTING: Final = frozenset({301, 302, 303, 307, 308})
_GZIP: Final = zlib.MAX_WBITS | 16
_ACCEPTED: Final = "gzip, identity"


@dataclass(frozen=True, slots=True)
class Limits:
    """Seconds for connecting and for everything; octets of an answer, unpacked."""

    connect_s: float = 5.0
    total_s: float = 60.0
    largest: int = 20_000_000


@dataclass(frozen=True, slots=True)
class Question:
    """What is sent: a GET, or with `body` a POST; `accepts` are the statuses of an answer that is one."""

    address: str
    body: bytes | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    accepts: frozenset[int] = frozenset({200})


@dataclass(frozen=True, slots=True)
class Answer:
    """What came: status and octets, and in `error` why it is not what was asked for (None: it is)."""

    duration_ms: int
    status: int | None = None
    octets: bytes | None = None
    error: str | None = None


class _RefusedAnswerError(Exception):
    """The answer breaks a limit; the text is a sentence."""


def fetch(question: Question, limits: Limits) -> Answer:
    """Ask once; also an answer with a status that is none is brought with its octets, for they may say why."""
    began = time.monotonic()
    status: int | None = None
    octets: bytes | None = None
    error: str | None = None
    try:
        status, octets = asyncio.run(_within(question, limits))
        if status not in question.accepts:
            error = f"{question.address} answered with status {status}."
    except TimeoutError:
        error = f"{question.address} did not answer in {limits.total_s:g} s."
    except httpx.TimeoutException:
        error = f"{question.address} did not answer in time."
    except _RefusedAnswerError as refused:
        error = str(refused)
    except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, OSError, UnicodeError) as failed:
        error = f"{question.address} could not be asked: {type(failed).__name__} {failed}".rstrip() + "."
    return Answer(round((time.monotonic() - began) * 1000), status, octets, error)


async def _within(question: Question, limits: Limits) -> tuple[int, bytes]:
    timeout = httpx.Timeout(limits.total_s, connect=limits.connect_s)
    async with (
        asyncio.timeout(limits.total_s),
        httpx.AsyncClient(timeout=timeout, trust_env=False, follow_redirects=False) as client,
    ):
        return await _ask(client, question, limits)


async def _ask(client: httpx.AsyncClient, question: Question, limits: Limits) -> tuple[int, bytes]:
    url = question.address
    method = "GET" if question.body is None else "POST"
    headers = {"Accept-Encoding": _ACCEPTED, **question.headers}
    for _ in range(REDIRECTS + 1):
        async with client.stream(method, url, content=question.body, headers=headers) as response:
            target = response.headers.get("location")
            if response.status_code in _REDIRECTING and target is not None and question.body is None:
                url = _same_place(url, target)
                continue
            return response.status_code, await _read(response, url, limits.largest)
    raise _RefusedAnswerError(f"{question.address} redirects more than {REDIRECTS} times.")


def _same_place(url: str, target: str) -> str:
    joined = urljoin(url, target)
    try:
        before, after = split(url), split(joined)
        same = (before.scheme, place(before)) == (after.scheme, place(after)) and after.username is None
    except (BadInput, ValueError):
        same = False
    if not same:
        raise _RefusedAnswerError(f"{url} redirects to {joined[:200]!r}, which is another place: not followed.")
    return joined


async def _read(response: httpx.Response, url: str, largest: int) -> bytes:
    """The octets, unpacked piece by piece: neither a long answer nor a small one that unpacks to much fills memory."""
    coding = response.headers.get("content-encoding", "identity").strip().lower()
    if coding not in ("identity", "gzip"):
        raise _RefusedAnswerError(f"{url} answered in the coding {coding!r}; gzip or none was asked for.")
    unpacking = zlib.decompressobj(_GZIP) if coding == "gzip" else None
    whole = bytearray()
    async for piece in response.aiter_raw():
        try:
            whole += piece if unpacking is None else unpacking.decompress(piece, largest + 1 - len(whole))
        except zlib.error:
            raise _RefusedAnswerError(f"{url} answered with octets that are not gzip, though it says so.") from None
        if len(whole) > largest:
            raise _RefusedAnswerError(f"{url} answered with more than {largest} octets; no more are taken.")
    if unpacking is not None and not unpacking.eof:
        raise _RefusedAnswerError(f"{url} answered with gzip that ends too soon.")
    return bytes(whole)
