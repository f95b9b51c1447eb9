"""By which meters bases were measured: all measurements linked to them, by channel."""

from typing import Final

import numpy as np

from central.checks.frame import Chosen, Frame, Numbers, match
from central.checks.framework import Asked
from central.platform.arrays import int_array

MEASURED: Final = """
    -- the channels of all measurements of bases
    SELECT DISTINCT b.id AS basis, (m.source ->> 'channel')::bigint AS channel
      FROM billing_basis b
     CROSS JOIN LATERAL jsonb_array_elements(b.measurements) AS m (source)
     WHERE b.id = ANY (%(bases)s::bigint[]) AND m.source ? 'channel'
"""
NAMES: Final = ("basis", "channel")
NOTHING: Final = Frame({name: np.zeros(0, dtype=np.int64) for name in NAMES})


def read_channels(asked: Asked, bases: Numbers) -> Frame:
    """Each basis with each channel that it was measured by; those without measurements are not in it."""
    return asked.frame(MEASURED, NAMES, bases=int_array(bases)) if len(bases) else NOTHING


def maybe_same_meter(left: Numbers, right: Numbers, measured: Frame) -> Chosen:
    """Of pairs of bases, whether a meter is behind both. One that was not measured says none: it may be any."""
    both = np.isin(left, measured["basis"]) & np.isin(right, measured["basis"])
    same: Chosen = ~both
    places, channels = match([left], [measured["basis"]])
    # each pair with the channels of its left basis, and those of them that its right one has, too
    common, _ = match([right[places], measured["channel"][channels]], [measured["basis"], measured["channel"]])
    same[places[common]] = True
    return same
