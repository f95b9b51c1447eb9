"""How one meter is spoken to."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class MeterSettings:
    """Of one meter; `edge.config.Iec62056Config` says what they mean."""

    address: str = ""
    password: str | None = field(default=None, repr=False)
    software_parity: bool = True
    opening_baud: int = 300
    baud: int | None = None
    """Speed after the opening; None: as the meter offers."""
    timeout_s: float = 1.5
    """Silence allowed before an answer (the standard's longest reaction time)."""
    retries: int = 2
