"""Whose fault an error is: an outage is waited for, a message's error sends the message to quarantine."""

import psycopg
import pytest
from psycopg import errors

from central.ingest.committer import is_outage, refuse_message
from central.ingest.message import Message
from central.ingest.reasons import WHOLE_BODY, Reason
from tests.unit.central.ingest.builders import EDGE, EPOCH, message


@pytest.mark.parametrize(
    "error",
    [
        psycopg.OperationalError("connection refused"),
        psycopg.InterfaceError("the connection is closed"),
        errors.AdminShutdown("terminating connection"),
        errors.DiskFull("no space left"),
        errors.TooManyConnections("too many clients"),
        errors.ReadOnlySqlTransaction("cannot execute INSERT in a read-only transaction"),
        errors.UndefinedTable('relation "batch" does not exist'),
        errors.InsufficientPrivilege("permission denied"),
        errors.DeadlockDetected("deadlock detected"),
        errors.LockNotAvailable("canceling statement due to lock timeout"),
        ConnectionResetError(),
    ],
)
def test_an_outage_is_waited_for(error: Exception) -> None:
    assert is_outage(error)


@pytest.mark.parametrize(
    "error",
    [
        errors.NumericValueOutOfRange("out of range"),
        errors.CheckViolation("violates check constraint"),
        errors.ProgramLimitExceeded("row is too big"),
        errors.InternalError_("unexpected chunk"),
        errors.RaiseException("a trigger says no"),
        psycopg.DataError("PostgreSQL text fields cannot contain NUL (0x00) bytes"),
        ValueError("a defect of ours"),
    ],
)
def test_a_messages_error_is_not(error: Exception) -> None:
    assert not is_outage(error)


def test_a_message_that_cannot_be_stored_keeps_its_number() -> None:
    culprit = message(seq=4)
    prepared = refuse_message(culprit, ValueError("why"))
    ((position, refusal),) = prepared.refusals
    assert position == 0 and refusal.reason is Reason.STORE and refusal.index == WHOLE_BODY
    assert [(n.edge, n.epoch, n.seq) for n in prepared.numbers] == [(EDGE, EPOCH, 4)]
    assert "ValueError: why" in refusal.sentence


def test_a_message_without_an_address_stays_without_a_number() -> None:
    prepared = refuse_message(Message("rzv/1/CONC-1/data", b"", []), ValueError("why"))
    assert prepared.numbers == []
    assert [position for position, _ in prepared.refusals] == [None]
