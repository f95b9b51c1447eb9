"""Tables of what held before: a copy of a table's facts with the time in which they held."""

from collections.abc import Iterable
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, Column, ForeignKey, Identity, Table
from sqlalchemy.dialects.postgresql import DATERANGE, ExcludeConstraint

from central.platform.database import metadata


def past_of(main: Table, facts: Iterable[str], *more: Any, own_key: bool = True) -> Table:
    """`<main>_past`: the columns `facts` of `main`, to whom they belong and when they held; one row at a time.

    Without `own_key` the foreign key to `main` is among `more`.
    """
    owner = main.name
    copied = []
    for name in facts:
        column = main.c[name]
        keys = [
            ForeignKey(key.target_fullname)
            for key in column.foreign_keys
            if key.constraint is not None and len(key.constraint.columns) == 1
        ]
        copied.append(Column(name, column.type, *keys, nullable=column.nullable))
    return Table(
        f"{owner}_past",
        metadata,
        Column("id", BigInteger, Identity(always=True), primary_key=True),
        Column(owner, BigInteger, *([ForeignKey(f"{owner}.id")] if own_key else []), nullable=False),
        Column("valid", DATERANGE, nullable=False),
        *copied,
        *more,
        CheckConstraint("NOT isempty(valid) AND NOT upper_inf(valid)", name="valid"),
        ExcludeConstraint((owner, "="), ("valid", "&&"), using="gist", name=f"{owner}_past_{owner}_valid_excl"),
        comment=f"What held of a {owner.replace('_', ' ')} before {owner}.since",
    )


def one_of(column: str, values: tuple[str, ...]) -> str:
    """The condition that a column has one of the values."""
    return f"{column} IN ({', '.join(repr(value) for value in values)})"
