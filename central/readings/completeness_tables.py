"""Tables of completeness: what the newest version of each day lacks, a row a channel and month."""

from sqlalchemy import BigInteger, CheckConstraint, Column, Date, Identity, Integer, SmallInteger, Table
from sqlalchemy.dialects.postgresql import ARRAY, BYTEA

from central.platform.database import metadata

profile_count = Table(
    "profile_count",
    metadata,
    Column("channel", Integer, primary_key=True, autoincrement=False),
    Column("month", Date, primary_key=True),
    Column("missing", BYTEA, nullable=False),
    Column("replaced", BYTEA, nullable=False),
    CheckConstraint("extract(day FROM month) = 1", name="month"),
    CheckConstraint("octet_length(missing) = 62 AND octet_length(replaced) = 62", name="days"),
    comment="Of each day's newest version, from day 1 of the month on, as smallint in network byte order:"
    " values that are missing, and that are not measured; -1: none",
)

profile_count_news = Table(
    "profile_count_news",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("channels", ARRAY(Integer), nullable=False),
    Column("days", ARRAY(Integer), nullable=False, comment="days since 1970-01-01"),
    Column("versions", ARRAY(Integer), nullable=False),
    Column("missing", ARRAY(SmallInteger), nullable=False),
    Column("replaced", ARRAY(SmallInteger), nullable=False),
    comment="Counts of versions just made, a row for each write, until they are folded into profile_count",
)
