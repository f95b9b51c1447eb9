"""Overviews of evidence channels, their versions, channels and mappings."""

from sqlalchemy import func

from central.network.register_tables import TARIFFS, register_version
from central.network.tables import COMMODITIES, DIRECTIONS, KINDS, channel, channel_mapping, evidence_channel
from central.platform.overview import Column, Kind, Overview

EVIDENCE_CHANNELS = Overview(
    "evidence channels",
    source=evidence_channel,
    key=evidence_channel.c.id,
    columns=(
        Column("id", evidence_channel.c.id, Kind.INTEGER),
        Column("concentrator", evidence_channel.c.concentrator),
        Column("device", evidence_channel.c.device),
        Column("meter", evidence_channel.c.device),
        Column("register", evidence_channel.c.register),
        Column("unit", evidence_channel.c.unit),
        Column("exponent", evidence_channel.c.exponent, Kind.INTEGER),
        Column("kind", evidence_channel.c.kind, Kind.CHOICE, KINDS),
        Column("step_ms", evidence_channel.c.step_ms, Kind.INTEGER),
        Column("min_value", evidence_channel.c.min_value, Kind.INTEGER),
        Column("max_value", evidence_channel.c.max_value, Kind.INTEGER),
    ),
    default_sort=(("device", False), ("register", False)),
)

CHANNELS = Overview(
    "channels",
    source=channel,
    key=channel.c.id,
    columns=(
        Column("id", channel.c.id, Kind.INTEGER),
        Column("supply_point", channel.c.supply_point, Kind.INTEGER),
        Column("point", channel.c.point),
        Column("direction", channel.c.direction, Kind.CHOICE, DIRECTIONS),
        Column("commodity", channel.c.commodity, Kind.CHOICE, COMMODITIES),
        Column("unit", channel.c.unit),
        Column("exponent", channel.c.exponent, Kind.INTEGER),
        Column("kind", channel.c.kind, Kind.CHOICE, KINDS),
        Column("step_ms", channel.c.step_ms, Kind.INTEGER),
    ),
    default_sort=(("point", False), ("direction", False), ("kind", False)),
    search=func.fold(channel.c.point),
)

MAPPINGS = Overview(
    "mappings",
    source=channel_mapping,
    joined=channel_mapping.join(evidence_channel, evidence_channel.c.id == channel_mapping.c.evidence_channel),
    key=channel_mapping.c.id,
    columns=(
        Column("id", channel_mapping.c.id, Kind.INTEGER),
        Column("evidence_channel", channel_mapping.c.evidence_channel, Kind.INTEGER),
        Column("channel", channel_mapping.c.channel, Kind.INTEGER),
        Column("multiplier", channel_mapping.c.multiplier, Kind.INTEGER),
        Column("sign", channel_mapping.c.sign, Kind.INTEGER),
        Column("since", func.lower(channel_mapping.c.valid), Kind.INSTANT),
        Column("until", func.upper(channel_mapping.c.valid), Kind.INSTANT),
        Column("concentrator", evidence_channel.c.concentrator),
        Column("meter", evidence_channel.c.device),
        Column("register", evidence_channel.c.register),
    ),
    default_sort=(("channel", False), ("since", False)),
)

REGISTER_VERSIONS = Overview(
    "versions of registers",
    source=register_version,
    joined=register_version.join(evidence_channel, evidence_channel.c.id == register_version.c.evidence_channel),
    key=register_version.c.id,
    columns=(
        Column("id", register_version.c.id, Kind.INTEGER),
        Column("evidence_channel", register_version.c.evidence_channel, Kind.INTEGER),
        Column("meter", evidence_channel.c.device),
        Column("register", evidence_channel.c.register),
        Column("digits", register_version.c.digits, Kind.INTEGER),
        Column("unit", register_version.c.unit),
        Column("exponent", register_version.c.exponent, Kind.INTEGER),
        Column("multiplier", register_version.c.multiplier, Kind.INTEGER),
        Column("tariff", register_version.c.tariff, Kind.CHOICE, TARIFFS),
        Column("obis", register_version.c.obis),
        Column("since", func.lower(register_version.c.valid), Kind.INSTANT),
        Column("until", func.upper(register_version.c.valid), Kind.INSTANT),
    ),
    default_sort=(("meter", False), ("register", False), ("since", False)),
)
