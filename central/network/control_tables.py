"""Tables of control: keys, configurations, what concentrators say of themselves, commands and their steps."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    ForeignKey,
    Identity,
    Index,
    Integer,
    LargeBinary,
    Table,
    Text,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from central.network.command_states import OPEN, State, Step
from central.platform.database import metadata

ACTS = ("read_now", "fill_range", "set_clock", "disconnect", "reconnect", "restart_bus", "send_diagnostics")


def _one_of(column: str, values: "tuple[str, ...]") -> str:
    return f"{column} IN ({', '.join(repr(str(value)) for value in values)})"


concentrator_key = Table(
    "concentrator_key",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("concentrator", Text, ForeignKey("concentrator.id"), nullable=False),
    Column("public_key", LargeBinary, nullable=False),
    Column("enrolled_at", DateTime(timezone=True), nullable=False),
    Column("enrolled_by", Text, nullable=False),
    Column("replaced_at", DateTime(timezone=True)),
    CheckConstraint("octet_length(public_key) = 32", name="public_key"),
    Index("concentrator_key_present_ix", "concentrator", unique=True, postgresql_where=text("replaced_at IS NULL")),
    comment="X25519 public key for which secrets of a concentrator are sealed; one at a time, earlier ones stay",
)

edge_configuration = Table(
    "edge_configuration",
    metadata,
    Column("concentrator", Text, ForeignKey("concentrator.id"), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("body", Text, nullable=False),
    Column("made_at", DateTime(timezone=True), nullable=False),
    Column("made_by", Text, nullable=False),
    Column("reason", Text, nullable=False),
    CheckConstraint("number > 0", name="number"),
    comment="Append-only: configurations as concentrators get them (JSON, secrets sealed); the highest number is to "
    "run",
)

concentrator_state = Table(
    "concentrator_state",
    metadata,
    Column("concentrator", Text, ForeignKey("concentrator.id"), primary_key=True),
    Column("online", Boolean, nullable=False),
    Column("agent", Text, nullable=False),
    Column("runs", Integer, nullable=False),
    Column("heard_at", DateTime(timezone=True), nullable=False),
    Column("refused_number", Integer),
    Column("refused_at", DateTime(timezone=True)),
    Column("refused_reason", Text),
    comment="What a concentrator last said of itself: is it there, which configuration runs",
)

command = Table(
    "command",
    metadata,
    Column("id", Text, primary_key=True),
    Column("concentrator", Text, ForeignKey("concentrator.id"), nullable=False),
    Column("act", Text, nullable=False),
    Column("work", JSONB, nullable=False),
    Column("state", Text, nullable=False),
    Column("issued_at", DateTime(timezone=True), nullable=False),
    Column("expires_at", DateTime(timezone=True), nullable=False),
    Column("issued_by", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("confirmed_by", Text, comment="the second person, where the act needs one"),
    Column("answered_at", DateTime(timezone=True)),
    Column("why", Text, nullable=False, server_default="", comment="the last answer's reason"),
    Column("result", JSONB),
    CheckConstraint(_one_of("act", ACTS), name="act"),
    CheckConstraint(_one_of("state", tuple(State)), name="state"),
    CheckConstraint("expires_at > issued_at", name="expires"),
    CheckConstraint("confirmed_by <> issued_by", name="confirmed"),
    Index("command_open_ix", "expires_at", postgresql_where=text(_one_of("state", tuple(OPEN)))),
    Index("command_concentrator_ix", "concentrator", "issued_at"),
    comment="Povel: what a concentrator is told to do; its id makes it happen once",
)

command_event = Table(
    "command_event",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("command", Text, ForeignKey("command.id"), nullable=False),
    Column("at", DateTime(timezone=True), nullable=False),
    Column("person", Text, nullable=False),
    Column("step", Text, nullable=False),
    Column("from_state", Text, nullable=False),
    Column("to_state", Text, nullable=False),
    Column("why", Text, nullable=False),
    CheckConstraint(_one_of("step", tuple(Step)), name="step"),
    Index("command_event_command_ix", "command"),
    comment="Append-only: every change of a command's state, who, when, why",
)
