"""Tables of physical registers: what is on a register's face, with validity."""

from sqlalchemy import CheckConstraint, Column, ForeignKey, Identity, Integer, SmallInteger, Table, Text
from sqlalchemy.dialects.postgresql import TSTZRANGE, ExcludeConstraint

from central.platform.database import metadata

TARIFFS = ("VT", "NT", "JT")
"""High, low and single tariff of a register; None: the register does not tell tariffs apart."""
MOST_DIGITS = 18

register_version = Table(
    "register_version",
    metadata,
    Column("id", Integer, Identity(always=True), primary_key=True),
    Column("evidence_channel", Integer, ForeignKey("evidence_channel.id"), nullable=False),
    Column("digits", SmallInteger, nullable=False),
    Column("unit", Text, nullable=False),
    Column("exponent", Integer, nullable=False),
    Column("multiplier", Integer, nullable=False, server_default="1"),
    Column("tariff", Text),
    Column("obis", Text),
    Column("valid", TSTZRANGE, nullable=False),
    CheckConstraint("digits BETWEEN 1 AND 18", name="digits"),
    CheckConstraint("multiplier > 0", name="multiplier"),
    CheckConstraint("tariff IN ('VT', 'NT', 'JT')", name="tariff"),
    CheckConstraint("NOT isempty(valid)", name="valid"),
    ExcludeConstraint(
        ("evidence_channel", "="), ("valid", "&&"), using="gist", name="register_version_evidence_channel_valid_excl"
    ),
    comment="Číselník: digits before it rolls over, unit, last digit, constant and tariff of a physical register, "
    "by validity",
)
