"""What may leave for which environment."""

from __future__ import annotations

import pytest

from central.market.channels.allowed import Environment, FormatStatus, format_status, require_allowed
from central.market.errors import FormatError, OutboundError
from central.market.format_package import load_package

OFFICIAL, OURS = FormatStatus.OFFICIAL, FormatStatus.SANDBOX


@pytest.mark.parametrize(
    ("status", "environment"),
    [(OFFICIAL, Environment.PRODUCTION), (OFFICIAL, Environment.SANDBOX), (OURS, Environment.SANDBOX)],
)
def test_may_leave(status: FormatStatus, environment: Environment) -> None:
    require_allowed(status, environment, "somewhere")
    with pytest.raises(OutboundError, match=r"must not go to cds\.example\.com, which is production"):
        require_allowed(OURS, Environment.PRODUCTION, "cds.example.com")


def test_every_message_of_the_shipped_package_is_ours() -> None:
    assert format_status("sandbox-2026", "121", load_package("sandbox-2026").digest) is OURS
    with pytest.raises(FormatError, match="no message code '999'"):
        format_status("sandbox-2026", "999", None)
    with pytest.raises(FormatError, match="no format package"):
        format_status("official-2019", "121", None)
