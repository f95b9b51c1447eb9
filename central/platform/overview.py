"""Overviews (přehledy): filter, sort and page over declared columns; one way for all rooms.

A room declares an Overview: which table carries the rows, what is joined to it, and its columns. From the request's
parameters one statement is built, out of declared expressions and bound values only. The rows of a page are chosen by
their key first and filled after, so that what was skipped is never joined.

    ?commodity=gas&name=~hala&valid_from=<2026-01-01&q=novák&sort=-valid_from,name&limit=50&offset=100

A filter is a value (equal), or begins with `!` (not), `<`, `<=`, `>`, `>=` or `~` (contains, without regard to case and
accents). An empty value asks for what is not filled in, `!` alone for what is. Several values of one column: any of
them (with `<` and `>`: all of them).
"""

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import Annotated, Any

from fastapi import Query, Request, Response
from sqlalchemy import ColumnClause, ColumnElement, Connection, FromClause, RowMapping, Select, and_, func, or_, select
from sqlalchemy.sql import visitors

from central.platform.errors import BadInput

MOST_ROWS = 1_000
"""The largest page."""

MOST_COUNTED = 10_000
"""Rows of a filtered overview are counted up to here: nobody pages further, and counting costs more than a page."""

_SIGNS = ("<=", ">=", "<", ">", "!", "~", "=")


class Kind(StrEnum):
    """How a column's values are written in a filter."""

    TEXT = "text"
    CHOICE = "choice"
    INTEGER = "integer"
    DECIMAL = "decimal"
    DATE = "date"
    INSTANT = "instant"
    BOOLEAN = "boolean"
    LIST = "list"


@dataclass(frozen=True, slots=True)
class Column:
    """A column: its name in the answer, its expression, the kind of its values; `choices` are its only values.

    `searched` says that its text is a part of what the overview's `search` holds, whose index then helps `~`.
    `through` is (column of the source, key of the joined table) for a unique text of a joined row: a filter by one such
    text asks for the key first, so that the rows are found by the source's own index. `folded` is a stored column with
    the folded text: folding thousands of names took longer than all the rest of a question.
    """

    name: str
    sql: ColumnElement[Any]
    kind: Kind = Kind.TEXT
    choices: tuple[str, ...] = ()
    sortable: bool = True
    searched: bool = False
    through: tuple[ColumnElement[Any], ColumnElement[Any]] | None = None
    folded: ColumnElement[Any] | None = None


@dataclass(frozen=True, slots=True)
class Asked:
    """What a request asks for: filters as (column, texts), sort as (column, descending)."""

    filters: tuple[tuple[str, tuple[str, ...]], ...] = ()
    q: str | None = None
    sort: tuple[tuple[str, bool], ...] = ()
    limit: int = 100
    offset: int = 0


@dataclass(frozen=True, slots=True)
class Page:
    """The rows of a page and how many there are in all; `more`: there are more than `total`."""

    rows: Sequence[RowMapping]
    total: int
    asked: Asked
    more: bool = False

    def tell(self, request: Request, response: Response) -> None:
        """Say the total (X-Total-Count; X-Total-More when it is more than that) and the next page (Link) in headers."""
        response.headers["X-Total-Count"] = str(self.total)
        if self.more:
            response.headers["X-Total-More"] = "true"
        following = self.asked.offset + self.asked.limit
        if following < self.total or (self.more and len(self.rows) == self.asked.limit):
            address = request.url.include_query_params(offset=following, limit=self.asked.limit)
            response.headers["Link"] = f'<{address.path}?{address.query}>; rel="next"'


@dataclass(frozen=True)
class Overview:
    """A declared overview.

    `source` is the table or view that has one row for each row shown; `key` is unique in it and breaks ties of the
    sort. `joined` is `source` joined to one row each of other tables (the default: nothing joined): by an outer join
    where there may be none. Where no filter and no sort needs them, only the rows of the page are joined. `search`
    is the folded text that `q` is looked for in (see `fold` in
    the database).
    """

    name: str
    source: FromClause
    key: ColumnElement[Any]
    columns: tuple[Column, ...]
    default_sort: tuple[tuple[str, bool], ...]
    joined: FromClause | None = None
    search: ColumnElement[Any] | None = None

    def column(self, name: str) -> Column:
        """The declared column, or BadInput naming those that there are."""
        for column in self.columns:
            if column.name == name:
                return column
        names = ", ".join(column.name for column in self.columns)
        raise BadInput("column", f"The overview {self.name} has no column {name!r}; it has {names}.")

    def asked(self, *beside: str) -> Callable[..., Asked]:
        """A FastAPI dependency that reads the request; a parameter that is no column and not in `beside` is refused.

        Its signature names every column, so that the API's documentation lists the filters.
        """

        def read(request: Request, **given: Any) -> Asked:
            known = {*given, *beside}
            for name in request.query_params:
                if name not in known:
                    raise BadInput(
                        "parameter",
                        f"The overview {self.name} has no parameter {name!r}; it has {', '.join(sorted(known))}.",
                    )
            return Asked(
                filters=tuple(
                    (column.name, tuple(given[column.name]))
                    for column in self.columns
                    if given[column.name] is not None
                ),
                q=given["q"],
                sort=self._sort(given["sort"]),
                limit=given["limit"],
                offset=given["offset"],
            )

        read.__signature__ = inspect.Signature(  # type: ignore[attr-defined]  # FastAPI reads it
            [inspect.Parameter("request", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=Request)]
            + [
                inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, annotation=annotation, default=default)
                for name, annotation, default in self._parameters()
            ]
        )
        return read

    def _parameters(self) -> list[tuple[str, Any, Any]]:
        declared: list[tuple[str, Any, Any]] = []
        for column in self.columns:
            words = f"{column.kind}: {', '.join(column.choices)}" if column.choices else str(column.kind)
            declared.append((column.name, Annotated[list[str] | None, Query(description=f"filter, {words}")], None))
        declared.append(("q", Annotated[str | None, Query(description="free text", max_length=200)], None))
        declared.append(("sort", Annotated[str | None, Query(description="columns, `-` before: descending")], None))
        declared.append(("limit", Annotated[int, Query(ge=1, le=MOST_ROWS)], 100))
        declared.append(("offset", Annotated[int, Query(ge=0, le=2**31 - 1)], 0))
        return declared

    def _sort(self, text: str | None) -> tuple[tuple[str, bool], ...]:
        if not text:
            return self.default_sort
        parts = [(part.strip().removeprefix("-"), part.strip().startswith("-")) for part in text.split(",")]
        for name, _ in parts:
            if not self.column(name).sortable:
                raise BadInput("sort", f"The overview {self.name} cannot be sorted by {name}.")
        return tuple(parts)

    def find(self, connection: Connection, asked: Asked, *conditions: ColumnElement[bool]) -> Page:
        """The page that is asked for, among the rows for which `conditions` hold."""
        by_key = self._by_key(asked)
        compared = [*conditions, *self._conditions(asked)]
        wanted = [*compared, *by_key]
        order = self._order(asked)
        joined = self.source if self.joined is None else self.joined
        filtered = joined if any(self._reaches_out(each) for each in compared) else self.source
        chosen_from = joined if any(self._reaches_out(each) for each in order) else filtered
        total = self._count(connection, filtered, wanted)
        chosen = select(self.key).select_from(chosen_from).where(*wanted).order_by(*order)
        chosen = chosen.limit(asked.limit).offset(asked.offset)
        shown: Select[Any] = select(*(column.sql.label(column.name) for column in self.columns))
        shown = shown.select_from(joined).where(self.key.in_(chosen), *conditions).order_by(*order)
        rows = connection.execute(shown).mappings().all()
        if wanted and total > MOST_COUNTED:
            return Page(rows, MOST_COUNTED, asked, more=True)
        return Page(rows, total, asked)

    def _count(self, connection: Connection, source: FromClause, wanted: Sequence[ColumnElement[bool]]) -> int:
        if not wanted:
            return connection.execute(select(func.count()).select_from(source)).scalar_one()
        counted = select(self.key).select_from(source).where(*wanted).limit(MOST_COUNTED + 1).subquery()
        return connection.execute(select(func.count()).select_from(counted)).scalar_one()

    def _reaches_out(self, expression: ColumnElement[Any]) -> bool:
        """Whether an expression needs a table beside `source`."""
        return any(
            isinstance(part, ColumnClause) and part.table is not None and part.table is not self.source
            for part in visitors.iterate(expression)
        )

    def _order(self, asked: Asked) -> list[ColumnElement[Any]]:
        order: list[ColumnElement[Any]] = []
        for name, descending in asked.sort or self.default_sort:
            sql = self.column(name).sql
            order.append(sql.desc() if descending else sql)
        # The tie-breaker goes the way of the last column, so that one index serves both.
        last = (asked.sort or self.default_sort)[-1][1]
        return [*order, self.key.desc() if last else self.key]

    def _by_key(self, asked: Asked) -> list[ColumnElement[bool]]:
        """Filters by one unique text of a joined row, as conditions on the source's own column."""
        found: list[ColumnElement[bool]] = []
        for name, texts in asked.filters:
            column = self.column(name)
            if column.through is not None and _is_one_value(texts):
                own, key = column.through
                named = select(key).where(condition(column, texts)).correlate(None).scalar_subquery()
                found.append(own == named)
        return found

    def _conditions(self, asked: Asked) -> list[ColumnElement[bool]]:
        conditions = [
            condition(self.column(name), texts)
            for name, texts in asked.filters
            if self.column(name).through is None or not _is_one_value(texts)
        ]
        if self.search is not None:
            # What a searched column contains stands in the searched text too, and that one has an index.
            conditions += [
                self.search.like(_pattern(texts[0][1:]))
                for name, texts in asked.filters
                if len(texts) == 1 and texts[0][:1] == "~" and self.column(name).searched
            ]
        if asked.q and asked.q.strip():
            if self.search is None:
                raise BadInput("q", f"The overview {self.name} has no free text search; filter by its columns.")
            conditions += [self.search.like(_pattern(word)) for word in asked.q.split()]
        return conditions


def _is_one_value(texts: Sequence[str]) -> bool:
    """Whether a filter asks for one value, equal."""
    return len(texts) == 1 and texts[0] not in ("", "=") and not texts[0].startswith(("<", ">", "!", "~"))


def condition(column: Column, texts: Sequence[str]) -> ColumnElement[bool]:
    """The condition that the filter texts of one column make; see the module's text for their grammar."""
    one_of: list[ColumnElement[bool]] = []
    all_of: list[ColumnElement[bool]] = []
    for text in texts:
        sign = next((sign for sign in _SIGNS if text.startswith(sign)), "")
        value = text.removeprefix(sign)
        (one_of if sign in ("", "=", "~") else all_of).append(_compared(column, sign, value))
    if one_of:
        all_of.append(or_(*one_of))
    return and_(*all_of)


def _compared(column: Column, sign: str, text: str) -> ColumnElement[bool]:
    sql = column.sql
    if text == "":
        if sign in ("<", "<=", ">", ">=", "~"):
            raise BadInput("filter", f"The filter of {column.name} compares ({sign}) with nothing; give a value.")
        return sql.is_not(None) if sign == "!" else sql.is_(None)
    if sign == "~":
        if column.kind not in (Kind.TEXT, Kind.CHOICE):
            raise BadInput("filter", f"The column {column.name} is no text: ~ cannot look into it.")
        folded = func.fold(sql) if column.folded is None else column.folded
        return folded.like(_pattern(text))
    value = _value(column, text)
    if column.kind is Kind.LIST:
        if sign in ("<", "<=", ">", ">="):
            raise BadInput("filter", f"The column {column.name} is a list: it cannot be compared by {sign}.")
        return ~sql.contains([value]) if sign == "!" else sql.contains([value])
    compared: ColumnElement[bool]
    match sign:
        case "<":
            compared = sql < value
        case "<=":
            compared = sql <= value
        case ">":
            compared = sql > value
        case ">=":
            compared = sql >= value
        case "!":
            compared = or_(sql != value, sql.is_(None))
        case _:
            compared = sql == value
    return compared


_FOLDED = str.maketrans("áäčďéěëíľĺňóôöőŕřšťúůüűýž", "aacdeeeillnoooorrstuuuuyz")


def fold(text: str) -> str:
    """The text as it is searched, small letters without accents: what `fold` in the database makes."""
    return text.lower().translate(_FOLDED)


def _pattern(text: str) -> str:
    escaped = fold(text).replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return f"%{escaped}%"


def _value(column: Column, text: str) -> Any:
    if column.choices and text not in column.choices:
        raise BadInput(
            "filter", f"The column {column.name} is never {text!r}; its values are {', '.join(column.choices)}."
        )
    readers: Mapping[Kind, tuple[Callable[[str], Any], str]] = {
        Kind.INTEGER: (int, "a whole number"),
        Kind.DECIMAL: (_decimal, "a number"),
        Kind.DATE: (date.fromisoformat, "a date such as 2026-03-01"),
        Kind.INSTANT: (_instant, "an instant with an offset such as 2026-03-01T00:00:00+01:00"),
        Kind.BOOLEAN: (lambda word: {"true": True, "false": False}[word], "true or false"),
    }
    read, form = readers.get(column.kind, (str, "a text"))
    try:
        return read(text)
    except (ValueError, KeyError, InvalidOperation):
        raise BadInput("filter", f"The filter {text!r} of {column.name} must be {form}.") from None


def _decimal(text: str) -> Decimal:
    number = Decimal(text)
    if not number.is_finite() or abs(number.adjusted()) > 30:
        raise ValueError(text)
    return number


def _instant(text: str) -> datetime:
    at = datetime.fromisoformat(text)
    if at.tzinfo is None:
        raise ValueError(text)
    return at
