"""Tables of lines: modems, buses, what hangs at them and how it is read, keys, what was generated from all that."""

from sqlalchemy import (
    CheckConstraint,
    Column,
    DateTime,
    ForeignKey,
    ForeignKeyConstraint,
    Identity,
    Index,
    Integer,
    LargeBinary,
    Table,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB, TSTZRANGE, ExcludeConstraint

from central.network.point_tables import one_of
from central.platform.database import metadata

PROTOCOLS = ("hdlc", "dlms-wrapper", "modbus-rtu", "modbus-tcp", "iec62056-21")
MODEM_KINDS = ("gsm", "lte", "nb-iot", "plc", "radio", "ethernet")
KEY_FIELDS = ("security.encryption_key", "security.authentication_key")

modem = Table(
    "modem",
    metadata,
    Column("id", Integer, Identity(always=True), primary_key=True),
    Column("serial", Text, nullable=False, unique=True),
    Column("model", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("iccid", Text, unique=True),
    Column("phone", Text),
    Column("place", Text, nullable=False, server_default=""),
    CheckConstraint(one_of("kind", MODEM_KINDS), name="kind"),
    comment="Modem: what a line runs over where it is no cable",
)

bus = Table(
    "bus",
    metadata,
    Column("id", Integer, Identity(always=True), primary_key=True),
    Column("concentrator", Text, ForeignKey("concentrator.id"), nullable=False),
    Column("name", Text, nullable=False),
    Column("protocol", Text, nullable=False),
    Column("link", JSONB, nullable=False),
    Column("phase_ms", Integer, nullable=False, server_default="0"),
    Column("modem", Integer, ForeignKey("modem.id"), unique=True),
    UniqueConstraint("concentrator", "name"),
    CheckConstraint(one_of("protocol", PROTOCOLS), name="protocol"),
    comment="Sběrnice: a line of a concentrator with its link (serial port or TCP peer) and protocol",
)

attachment = Table(
    "attachment",
    metadata,
    Column("id", Integer, Identity(always=True), primary_key=True),
    Column("meter", Text, ForeignKey("meter.id"), nullable=False),
    Column("bus", Integer, ForeignKey("bus.id"), nullable=False),
    Column("address", JSONB, nullable=False),
    Column(
        "listens",
        Text,
        nullable=False,
        comment="the address as one text: what no two meters of a bus may have at a time",
    ),
    Column("template", Text, nullable=False),
    Column("overrides", JSONB, nullable=False, server_default="{}"),
    Column("valid", TSTZRANGE, nullable=False),
    CheckConstraint("NOT isempty(valid)", name="valid"),
    ExcludeConstraint(("meter", "="), ("valid", "&&"), using="gist", name="attachment_meter_valid_excl"),
    ExcludeConstraint(("bus", "="), ("listens", "="), ("valid", "&&"), using="gist", name="attachment_bus_valid_excl"),
    comment="Připojení: under which address of which bus a meter answers, since when until when",
)

meter_template = Table(
    "meter_template",
    metadata,
    Column("name", Text, primary_key=True),
    Column("body", JSONB, nullable=False),
    Column("made_at", DateTime(timezone=True), nullable=False),
    Column("made_by", Text, nullable=False),
    comment="Šablona měřidla beside the shipped ones: registers, and how a concentrator reads them",
)

meter_key = Table(
    "meter_key",
    metadata,
    Column("id", Integer, Identity(always=True), primary_key=True),
    Column("meter", Text, ForeignKey("meter.id"), nullable=False),
    Column("field", Text, nullable=False),
    Column("version", Integer, nullable=False),
    Column("ciphertext", LargeBinary, nullable=False),
    Column("store_key", Text, nullable=False, comment="short name of the key it is encrypted with"),
    Column("set_at", DateTime(timezone=True), nullable=False),
    Column("set_by", Text, nullable=False),
    Column("replaced_at", DateTime(timezone=True)),
    UniqueConstraint("meter", "field", "version"),
    CheckConstraint(one_of("field", KEY_FIELDS), name="field"),
    CheckConstraint("version > 0", name="version"),
    Index("meter_key_present_ix", "meter", "field", unique=True, postgresql_where=text("replaced_at IS NULL")),
    comment="Keys of meters, encrypted; the key for that is in a file and not in the database",
)

managed_concentrator = Table(
    "managed_concentrator",
    metadata,
    Column("concentrator", Text, ForeignKey("concentrator.id"), primary_key=True),
    Column("settings", JSONB, nullable=False, server_default="{}"),
    Column("since", DateTime(timezone=True), nullable=False),
    Column("managed_by", Text, nullable=False),
    Column("looked_at", DateTime(timezone=True), comment="of this instant is what was generated last"),
    comment="Concentrators whose configuration is generated from the registry",
)

generated_configuration = Table(
    "generated_configuration",
    metadata,
    Column("concentrator", Text, primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("plan", JSONB, nullable=False),
    Column("recipient", Text),
    ForeignKeyConstraint(
        ("concentrator", "number"),
        ("edge_configuration.concentrator", "edge_configuration.number"),
        name="generated_configuration_number_fkey",
    ),
    comment="Append-only: what the registry said when a configuration was generated; keys by meter, field and version",
)
