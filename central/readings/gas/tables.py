"""Tables of gas: areas of equal calorific value, calorific values by day or month, conversions of channels."""

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Date,
    DateTime,
    ForeignKey,
    Identity,
    Integer,
    Numeric,
    Table,
    Text,
)
from sqlalchemy.dialects.postgresql import DATERANGE, ExcludeConstraint

from central.platform.database import metadata

gas_area = Table(
    "gas_area",
    metadata,
    Column("id", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("source", Text, nullable=False),
    comment="Oblast spalného tepla: an area for which one calorific value a day is published; source says where",
)

calorific_value = Table(
    "calorific_value",
    metadata,
    Column("area", Text, ForeignKey("gas_area.id"), primary_key=True),
    Column("period", Text, primary_key=True),
    Column("first", Date, primary_key=True),
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("value", Numeric(9, 6), nullable=False),
    Column("kind", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("made_at", DateTime(timezone=True), nullable=False),
    Column("made_by", Text, nullable=False),
    CheckConstraint("period IN ('day', 'month')", name="period"),
    CheckConstraint("period = 'day' OR extract(day FROM first) = 1", name="first"),
    CheckConstraint("version > 0", name="version"),
    CheckConstraint("value > 0", name="value"),
    CheckConstraint("kind IN ('entered', 'imported', 'downloaded')", name="kind"),
    comment="Append-only: spalné teplo in kWh/m3 of an area, of a gas day or a month's mean; a correction is a version",
)

gas_conversion = Table(
    "gas_conversion",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("channel", Integer, ForeignKey("channel.id"), nullable=False),
    Column("area", Text, ForeignKey("gas_area.id"), nullable=False),
    Column("kind", Text, nullable=False),
    Column("valid", DATERANGE, nullable=False),
    Column("coefficient", Numeric(12, 8)),
    Column("temperature_k", Numeric(7, 3)),
    Column("gauge_kpa", Numeric(10, 4)),
    Column("compressibility", Numeric(9, 7)),
    Column("altitude_m", Numeric(6, 1)),
    Column("barometric_kpa", Numeric(8, 4)),
    Column("source", Text, nullable=False),
    CheckConstraint("NOT isempty(valid) AND NOT lower_inf(valid)", name="valid"),
    CheckConstraint(
        "CASE kind WHEN 'converter' THEN num_nonnulls(coefficient, temperature_k, gauge_kpa, compressibility,"
        " altitude_m, barometric_kpa) = 0"
        " WHEN 'fixed' THEN coefficient > 0 AND num_nonnulls(temperature_k, gauge_kpa, compressibility, altitude_m,"
        " barometric_kpa) = 0"
        " WHEN 'computed' THEN coefficient IS NULL AND temperature_k > 0 AND gauge_kpa IS NOT NULL"
        " AND compressibility > 0 AND num_nonnulls(altitude_m, barometric_kpa) = 1"
        " ELSE false END",
        name="kind",
    ),
    ExcludeConstraint(("channel", "="), ("valid", "&&"), using="gist", name="gas_conversion_channel_valid_excl"),
    comment="Přepočet objemu of a gas channel by gas days: area, and k fixed, computed, or 1 behind a converter",
)
