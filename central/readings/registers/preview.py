"""How the difference of two states would be split, for people to look at before anything is billed."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from central.network.channels import require_channel
from central.platform.errors import Refused
from central.readings.load_profiles import RECOMPUTED
from central.readings.registers.boundary import (
    ClassSpan,
    count,
    describe_split,
    plain_state,
    read_material,
    split_between,
)
from central.readings.registers.split import LOAD_PROFILE
from central.readings.states import find_states_around


def preview_split(
    connection: Connection, channel: int, cuts: Sequence[datetime], profile_class: str | None
) -> dict[str, Any]:
    """The split at `cuts` (ascending) of what the channel's register counted between the states around them.

    Keys: `before`, `after`, `counted` (units of the register), `factor` into the channel's unit, `verdict`, `parts`
    (from, to, units, share, energy in the channel's unit), `method`, `series`, `masked`, `assumed`, `text`. Refused
    where a state is missing, another register fed the channel between, or the register cannot have counted it.
    """
    facts = require_channel(connection, channel)
    what = f"channel {channel} ({facts['point']} {facts['direction']})"
    around = find_states_around(connection, [(channel, cuts[0]), (channel, cuts[-1])])
    if len(around) < len({cuts[0], cuts[-1]}):
        raise Refused(
            "states_missing",
            f"The {what} has no state before {cuts[0].isoformat()} or none after {cuts[-1].isoformat()} of the same "
            "register; enter one.",
        )
    before, after = around[channel, cuts[0]][0], around[channel, cuts[-1]][1]
    if before.evidence_channel != after.evidence_channel:
        raise Refused(
            "exchanged",
            f"The {what} was fed by {before.meter} {before.register} and later by {after.meter} {after.register}; "
            "split each meter's time on its own.",
        )
    classes = {channel: [ClassSpan(before.at, after.at, profile_class)]}
    material = read_material(connection, [(before, after)], classes)
    counted = count(before, after, material)
    if not counted.verdict.is_counted:
        raise Refused(
            "not_counted",
            f"The {what} went from {before.value} ({before.at.isoformat()}) to {after.value} "
            f"({after.at.isoformat()}), which is not to be counted: {counted.verdict.name.lower()}.",
        )
    split = split_between(before, after, [before.at, *cuts, after.at], counted, material)
    document = describe_split(split)
    for part in document["parts"]:
        part["energy"] = part["units"] * before.factor
    return {
        "channel": channel,
        "unit": facts["unit"],
        "exponent": facts["exponent"],
        "factor": before.factor,
        "before": plain_state(before),
        "after": plain_state(after),
        "counted": counted.units,
        "verdict": counted.verdict.name.lower(),
        **document,
        "text": _sentence(document, profile_class),
    }


def _sentence(document: dict[str, Any], profile_class: str | None) -> str:
    how = "podle dní"
    if document["method"] == LOAD_PROFILE:
        series = "přepočtený" if document["series"] == RECOMPUTED else "normalizovaný"
        how = f"podle typového diagramu třídy {profile_class} ({series})"
    masked = ", jen v době vlastního tarifu" if document["masked"] else ""
    parts = ", ".join(f"{part['units']} do {part['to']}" for part in document["parts"])
    return f"Rozdíl stavů je rozdělen {how}{masked}: {parts}."
