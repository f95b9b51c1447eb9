"""Tables of the tariffs: installed legislative packages, trusted keys, and what was picked up."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    Identity,
    LargeBinary,
    Table,
    Text,
    UniqueConstraint,
)
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
    Column("binding", Boolean, nullable=False),
    Column("unsigned_reason", Text, comment="Why a package without signature was accepted"),
    Column("informative_reason", Text, comment="Why a package that does not bind is settled by"),
    UniqueConstraint("name", "version"),
    CheckConstraint("commodity IN ('electricity', 'gas')", name="commodity"),
    CheckConstraint("NOT isempty(valid)", name="valid"),
    CheckConstraint("(signature IS NULL) = (unsigned_reason IS NOT NULL)", name="signed"),
    CheckConstraint("binding OR NOT active OR informative_reason IS NOT NULL", name="binding"),
    ExcludeConstraint(("scope", "="), ("valid", "&&"), using="gist", where="active", name="package_scope_valid_excl"),
    comment="Legislativní balíček: dated law as data; a newer version of one name takes the place of the active one",
)

package_key = Table(
    "package_key",
    metadata,
    Column("id", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("public_key", Text, nullable=False),
    Column("trusted", Boolean, nullable=False),
    Column("reason", Text, nullable=False),
    Column("changed_at", DateTime(timezone=True), nullable=False),
    Column("changed_by", Text, nullable=False),
    CheckConstraint("id ~ '^[0-9a-f]{16}$'", name="id"),
    comment="Keys that sign legislative packages: those that the operator trusts, and those trusted no more",
)

package_source = Table(
    "package_source",
    metadata,
    Column("url", Text, primary_key=True),
    Column("etag", Text),
    Column("last_modified", Text),
    Column("looked_at", DateTime(timezone=True), nullable=False),
    Column("answer", Text, nullable=False),
    comment="Trusted addresses of packages: what they answered last",
)

package_pickup = Table(
    "package_pickup",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("place", Text, nullable=False),
    Column("digest", Text, nullable=False),
    Column("outcome", Text, nullable=False),
    Column("package", Text),
    Column("reason", Text),
    Column("content", LargeBinary),
    Column("at", DateTime(timezone=True), nullable=False),
    UniqueConstraint("place", "digest"),
    CheckConstraint("outcome IN ('installed', 'present', 'quarantined')", name="outcome"),
    CheckConstraint("(outcome = 'quarantined') = (reason IS NOT NULL AND content IS NOT NULL)", name="quarantined"),
    comment="Packages taken from the trusted folder and addresses; what could not be taken, byte for byte with the "
    "reason",
)
