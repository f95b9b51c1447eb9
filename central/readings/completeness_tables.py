"""Tables of completeness: what the newest version of each day lacks, a row a channel and month."""

from sqlalchemy import BigInteger, CheckConstraint, Column, Date, Identity, Integer, SmallInteger, Table
from sqlalchemy.dialects.postgresql import ARRAY

from central.platform.database import metadata

profile_count = Table(
    "profile_count",
    metadata,
    Column("channel", Integer, primary_key=True, autoincrement=False),
    Column("month", Date, primary_key=True),
    Column("missing", ARRAY(SmallInteger), nullable=False),
    Column("replaced", ARRAY(SmallInteger), nullable=False),
    CheckConstraint("extract(day FROM month) = 1", name="month"),
    CheckConstraint("cardinality(missing) = 31 AND cardinality(replaced) = 31", name="days"),
    comment="Of each day's newest version in a month: values that are missing, and that are not measured; -1: none",
)

profile_count_news = Table(
    "profile_count_news",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("channels", ARRAY(Integer), nullable=False),
    Column("days", ARRAY(Date), nullable=False),
    Column("versions", ARRAY(Integer), nullable=False),
    Column("missing", ARRAY(SmallInteger), nullable=False),
    Column("replaced", ARRAY(SmallInteger), nullable=False),
    comment="Counts of versions just made, a row for each write, until they are folded into profile_count",
)
