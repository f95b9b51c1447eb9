from datetime import date
from decimal import Decimal

import pytest
from sqlalchemy.dialects.postgresql import Range

from central.platform.etag import Outdated, TagMissing, etag_of, require_match
from central.platform.plain import plain

RECORD = {"id": 1, "kw": Decimal("400.000"), "valid": Range(date(2026, 1, 1), None)}


def test_a_record_is_plain_data() -> None:
    assert plain(RECORD) == {"id": 1, "kw": "400", "valid": ["2026-01-01", None]}


def test_the_tag_is_that_of_what_is_shown() -> None:
    assert etag_of(RECORD) == etag_of({**RECORD, "kw": Decimal("400.0")})
    assert etag_of(RECORD) != etag_of({**RECORD, "kw": Decimal("400.1")})


@pytest.mark.parametrize("given", [etag_of(RECORD), f'"x", {etag_of(RECORD)}', "*"])
def test_the_state_that_was_seen_may_be_changed(given: str) -> None:
    assert require_match(given, RECORD, "the thing 1") is None


@pytest.mark.parametrize(
    ("given", "error", "status"), [(None, TagMissing, 428), (" ", TagMissing, 428), ('"x"', Outdated, 412)]
)
def test_another_state_is_not(given: str | None, error: type[Outdated], status: int) -> None:
    with pytest.raises(error, match="thing 1") as refused:
        require_match(given, RECORD, "the thing 1")
    assert refused.value.status == status
