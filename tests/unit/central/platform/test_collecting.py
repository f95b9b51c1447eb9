"""The collector of cycles is held back inside, and goes on after the last one that held it."""

import gc

import pytest

from central.platform.collecting import cycles_kept


def test_it_goes_on_after_the_last_of_several() -> None:
    assert gc.isenabled()
    with cycles_kept():
        with cycles_kept():
            assert not gc.isenabled()
        assert not gc.isenabled()
    assert gc.isenabled()


def test_it_goes_on_after_an_error() -> None:
    with pytest.raises(ValueError, match="broken"), cycles_kept():
        raise ValueError("broken")
    assert gc.isenabled()


def test_one_that_was_off_stays_off() -> None:
    gc.disable()
    try:
        with cycles_kept():
            assert not gc.isenabled()
        assert not gc.isenabled()
    finally:
        gc.enable()
