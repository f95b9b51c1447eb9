"""Keeps a task alive: a fault of ours is logged and the task begins anew, with back-off."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

import structlog

FIRST_S: Final = 1.0
MOST_S: Final = 30.0


async def supervise(name: str, run: Callable[[], Awaitable[None]]) -> None:
    """Run `run` for ever; only cancellation ends it."""
    log = structlog.get_logger("edge.supervise")
    delay = FIRST_S
    while True:
        begun = asyncio.get_running_loop().time()
        try:
            await run()
            log.error("task ended by itself", task=name)
        except asyncio.CancelledError:
            # Only a cancellation of ours ends it, not one that a library let slip out.
            end_if_cancelled()
            log.error("task was cancelled from within", task=name)
        except Exception as error:
            log.error("task failed", task=name, exc_info=error)
        end_if_cancelled()
        if asyncio.get_running_loop().time() - begun > MOST_S:
            delay = FIRST_S
        await asyncio.sleep(delay)
        delay = min(delay * 2, MOST_S)


def end_if_cancelled() -> None:
    """Raise `CancelledError` if the running task was cancelled and another exception took the cancellation's place."""
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError


def stop_once(agent: "asyncio.Task[None]") -> None:
    """Begin the orderly stop; a second signal must not cut it short (before the goodbye to the broker)."""
    if not agent.cancelling():
        agent.cancel()
