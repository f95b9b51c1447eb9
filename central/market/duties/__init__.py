"""What the market operator must be told: rules by which a cause makes a duty, the duties kept, a month's state."""

from central.market.duties.answered import settle_answered, settle_left

__all__ = ["settle_answered", "settle_left"]
