"""Tables of measuring points: boards, points, logical meters, mountings, instrument transformers, seals."""

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    ForeignKey,
    ForeignKeyConstraint,
    Identity,
    Index,
    Integer,
    Table,
    Text,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import TSTZRANGE, ExcludeConstraint

from central.platform.database import metadata

BOARD_KINDS = ("cabinet", "board")
TRANSFORMER_KINDS = ("MTP", "MTN")
PHASES = ("L1", "L2", "L3", "all")
SEAL_KINDS = ("terminal", "meter", "transformer", "cabinet", "breaker")


def one_of(column: str, values: tuple[str, ...]) -> str:
    """The condition that a column holds one of these texts."""
    return f"{column} IN ({', '.join(repr(value) for value in values)})"


board = Table(
    "board",
    metadata,
    Column("id", Integer, Identity(always=True), primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    Column("kind", Text, nullable=False),
    Column("within", Integer, ForeignKey("board.id"), index=True),
    Column("place", Text, nullable=False, server_default=""),
    CheckConstraint(one_of("kind", BOARD_KINDS), name="kind"),
    CheckConstraint("within <> id", name="within"),
    comment="Deska, rozvaděč: what measuring points are mounted on, and the cabinet it stands in",
)

measuring_point = Table(
    "measuring_point",
    metadata,
    Column("id", Integer, Identity(always=True), primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    Column("commodity", Text, nullable=False),
    Column(
        "several",
        Boolean,
        nullable=False,
        server_default=text("false"),
        comment="more than one active meter may hang here at a time",
    ),
    Column("board", Integer, ForeignKey("board.id"), index=True),
    Column("place", Text, nullable=False, server_default=""),
    UniqueConstraint("id", "several"),
    Index(
        "measuring_point_search_ix",
        func.fold(text("(name || ' '::text) || place")).label("folded"),
        postgresql_using="gin",
        postgresql_ops={"folded": "gin_trgm_ops"},
    ),
    Index("measuring_point_commodity_ix", "commodity", "name", "id"),
    CheckConstraint(one_of("commodity", ("electricity", "gas")), name="commodity"),
    comment="Měřicí místo: where a meter hangs; one active meter unless it says otherwise",
)

logical_meter = Table(
    "logical_meter",
    metadata,
    Column("id", Integer, Identity(always=True), primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    Column("measuring_point", Integer, ForeignKey("measuring_point.id"), nullable=False, index=True),
    Column("commodity", Text, nullable=False),
    CheckConstraint(one_of("commodity", ("electricity", "gas")), name="commodity"),
    comment="Logické měřidlo: what is settled; its registers are channels, whatever physical meter feeds them",
)

mounting = Table(
    "mounting",
    metadata,
    Column("id", Integer, Identity(always=True), primary_key=True),
    Column("meter", Text, ForeignKey("meter.id"), nullable=False),
    Column("measuring_point", Integer, nullable=False, index=True),
    Column("several", Boolean, nullable=False),
    Column("valid", TSTZRANGE, nullable=False),
    ForeignKeyConstraint(
        ("measuring_point", "several"),
        ("measuring_point.id", "measuring_point.several"),
        name="mounting_measuring_point_fkey",
        onupdate="CASCADE",
    ),
    CheckConstraint("NOT isempty(valid)", name="valid"),
    ExcludeConstraint(("meter", "="), ("valid", "&&"), using="gist", name="mounting_meter_valid_excl"),
    ExcludeConstraint(
        ("measuring_point", "="),
        ("valid", "&&"),
        using="gist",
        where=text("NOT several"),
        name="mounting_measuring_point_valid_excl",
    ),
    comment="Osazení: which physical meter hangs at which measuring point, since when until when",
)

instrument_transformer = Table(
    "instrument_transformer",
    metadata,
    Column("id", Integer, Identity(always=True), primary_key=True),
    Column("measuring_point", Integer, ForeignKey("measuring_point.id"), nullable=False),
    Column("kind", Text, nullable=False),
    Column("phase", Text, nullable=False),
    Column("model", Text, nullable=False),
    Column("serial", Text, nullable=False),
    Column("primary_value", Integer, nullable=False),
    Column("secondary_value", Integer, nullable=False),
    Column("accuracy_class", Text, nullable=False),
    Column("valid", TSTZRANGE, nullable=False),
    CheckConstraint(one_of("kind", TRANSFORMER_KINDS), name="kind"),
    CheckConstraint(one_of("phase", PHASES), name="phase"),
    CheckConstraint("secondary_value > 0 AND primary_value >= secondary_value", name="ratio"),
    CheckConstraint("NOT isempty(valid)", name="valid"),
    ExcludeConstraint(
        ("kind", "="),
        ("model", "="),
        ("serial", "="),
        ("valid", "&&"),
        using="gist",
        name="instrument_transformer_serial_valid_excl",
    ),
    ExcludeConstraint(
        ("measuring_point", "="),
        ("kind", "="),
        ("phase", "="),
        ("valid", "&&"),
        using="gist",
        name="instrument_transformer_phase_valid_excl",
    ),
    comment="Měřicí transformátor: MTP (current, A) or MTN (voltage, V) before the meter; its ratio multiplies what "
    "it counts",
)

seal = Table(
    "seal",
    metadata,
    Column("id", Integer, Identity(always=True), primary_key=True),
    Column("number", Text, nullable=False, unique=True),
    Column("kind", Text, nullable=False),
    Column("measuring_point", Integer, ForeignKey("measuring_point.id"), nullable=False, index=True),
    Column("meter", Text, ForeignKey("meter.id")),
    Column("mounted_at", DateTime(timezone=True), nullable=False),
    Column("mounted_by", Text, nullable=False),
    Column("removed_at", DateTime(timezone=True)),
    Column("removed_by", Text),
    CheckConstraint(one_of("kind", SEAL_KINDS), name="kind"),
    CheckConstraint("removed_at >= mounted_at AND (removed_at IS NULL) = (removed_by IS NULL)", name="removed"),
    comment="Plomba: a number is used once",
)
