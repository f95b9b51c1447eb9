"""Tables of the tariffs: the legislative packages that are installed."""

from sqlalchemy import BigInteger, Boolean, CheckConstraint, Column, DateTime, Identity, Table, Text, UniqueConstraint
from sqlalchemy.dialects.postgresql import DATERANGE, JSONB, ExcludeConstraint

from central.platform.database import metadata

package = Table(
    "package",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("name", Text, nullable=False),
    Column("version", Text, nullable=False),
    Column("scope", Text, nullable=False),
    Column("commodity", Text, nullable=False),
    Column("valid", DATERANGE, nullable=False),
    Column("example", Boolean, nullable=False),
    Column("checksum", Text, nullable=False),
    Column("signature", Text),
    Column("content", JSONB, nullable=False),
    Column("active", Boolean, nullable=False),
    Column("installed_at", DateTime(timezone=True), nullable=False),
    Column("installed_by", Text, nullable=False),
    UniqueConstraint("name", "version"),
    CheckConstraint("commodity IN ('electricity', 'gas')", name="commodity"),
    CheckConstraint("NOT isempty(valid)", name="valid"),
    ExcludeConstraint(("scope", "="), ("valid", "&&"), using="gist", where="active", name="package_scope_valid_excl"),
    comment="Legislativní balíček: dated law as data; a newer version of one name takes the place of the active one",
)
