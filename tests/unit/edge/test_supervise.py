"""A supervised task goes on after faults and ends only when it is cancelled."""

import asyncio

import pytest

from edge.supervise import end_if_cancelled, stop_once, supervise


@pytest.fixture(autouse=True)
def fast(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edge.supervise.FIRST_S", 0.005)


@pytest.mark.parametrize("fault", [ValueError("x"), asyncio.CancelledError(), None])
async def test_faults_cancellations_from_within_and_plain_ends_are_outlived(fault: BaseException | None) -> None:
    runs = 0

    async def run() -> None:
        nonlocal runs
        runs += 1
        if fault is not None:
            raise fault

    task = asyncio.create_task(supervise("t", run))
    async with asyncio.timeout(3):
        while runs < 3:
            await asyncio.sleep(0.002)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_cancellation_that_another_error_hides_is_not_lost() -> None:
    begun = asyncio.Event()

    async def run() -> None:
        try:
            begun.set()
            await asyncio.sleep(10)
        except asyncio.CancelledError:
            raise OSError("the connection broke while it was closed") from None

    task = asyncio.create_task(supervise("t", run))
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        async with asyncio.timeout(1):
            await task
    end_if_cancelled()


async def test_a_second_signal_does_not_cut_the_orderly_stop_short() -> None:
    goodbye, said = asyncio.Event(), []

    async def agent() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await goodbye.wait()
            said.append("goodbye")

    task = asyncio.create_task(agent())
    await asyncio.sleep(0)
    for _ in range(3):
        stop_once(task)
        await asyncio.sleep(0)
    goodbye.set()
    await asyncio.gather(task, return_exceptions=True)
    assert task.cancelled()
    assert said == ["goodbye"]
