from typing import Annotated, Any
from unittest.mock import Mock

import pytest
from fastapi import Depends, FastAPI
from fastapi.testclient import TestClient
from sqlalchemy import BigInteger, Boolean, Connection, Date, DateTime, Integer, MetaData, Numeric, Table, Text
from sqlalchemy import Column as Stored
from sqlalchemy.dialects import postgresql
from sqlalchemy.dialects.postgresql import ARRAY

from central.platform.errors import BadInput
from central.platform.overview import Asked, Column, Kind, Overview, condition, fold

THINGS = Table(
    "thing",
    MetaData(),
    Stored("id", BigInteger, primary_key=True),
    Stored("name", Text),
    Stored("level", Text),
    Stored("size", Integer),
    Stored("kw", Numeric),
    Stored("since", Date),
    Stored("at", DateTime(timezone=True)),
    Stored("open", Boolean),
    Stored("roles", ARRAY(Text)),
)
COLUMNS = {
    "name": Column("name", THINGS.c.name),
    "level": Column("level", THINGS.c.level, Kind.CHOICE, ("VN", "NN")),
    "size": Column("size", THINGS.c.size, Kind.INTEGER),
    "kw": Column("kw", THINGS.c.kw, Kind.DECIMAL),
    "since": Column("since", THINGS.c.since, Kind.DATE),
    "at": Column("at", THINGS.c.at, Kind.INSTANT),
    "open": Column("open", THINGS.c.open, Kind.BOOLEAN),
    "roles": Column("roles", THINGS.c.roles, Kind.LIST, ("customer", "supplier"), sortable=False),
}
OVERVIEW = Overview("things", THINGS, THINGS.c.id, tuple(COLUMNS.values()), (("name", False),))


def sql(expression: Any) -> str:
    compiled = expression.compile(dialect=postgresql.dialect(), compile_kwargs={"literal_binds": True})  # type: ignore[no-untyped-call]
    return str(compiled).replace("thing.", "").replace("%%", "%").replace("\\\\", "\\")


@pytest.mark.parametrize(
    ("column", "texts", "expected"),
    [
        ("name", ["Hala"], "name = 'Hala'"),
        ("name", ["A", "B"], "name = 'A' OR name = 'B'"),
        ("name", ["~Hála_1"], r"fold(name) LIKE '%hala\_1%'"),
        ("name", [""], "name IS NULL"),
        ("name", ["!"], "name IS NOT NULL"),
        ("name", ["!Hala"], "name != 'Hala' OR name IS NULL"),
        ("name", ["=~x"], "name = '~x'"),
        ("level", ["VN"], "level = 'VN'"),
        ("size", [">=3", "<9"], "size >= 3 AND size < 9"),
        ("kw", ["<1.5"], "kw < 1.5"),
        ("since", [">2026-03-01"], "since > '2026-03-01'"),
        ("open", ["true"], "open = true"),
        ("roles", ["customer"], "roles @> ARRAY['customer']"),
    ],
)
def test_filters_become_conditions_over_declared_columns(column: str, texts: list[str], expected: str) -> None:
    assert sql(condition(COLUMNS[column], texts)) == expected


@pytest.mark.parametrize(
    ("column", "text", "named"),
    [
        ("level", "XX", "VN, NN"),
        ("size", "many", "whole number"),
        ("kw", "NaN", "number"),
        ("kw", "1e999", "number"),
        ("since", "yesterday", "2026-03-01"),
        ("at", "2026-03-01T00:00:00", "offset"),
        ("open", "maybe", "true or false"),
        ("size", "~1", "no text"),
        ("size", "<", "nothing"),
        ("roles", "<customer", "list"),
    ],
)
def test_a_filter_that_cannot_be_understood_says_what_is_expected(column: str, text: str, named: str) -> None:
    with pytest.raises(BadInput, match=named):
        condition(COLUMNS[column], [text])


@pytest.fixture
def client() -> TestClient:
    app = FastAPI()

    @app.get("/things")
    def find(
        asked: Annotated[Asked, Depends(OVERVIEW.asked("valid_on"))], valid_on: str | None = None
    ) -> dict[str, Any]:
        return {
            "filters": asked.filters,
            "sort": asked.sort,
            "limit": asked.limit,
            "offset": asked.offset,
            "q": asked.q,
        }

    return TestClient(app)


def test_a_request_is_read_and_every_column_stands_in_the_documentation(client: TestClient) -> None:
    asked = client.get("/things?name=a&name=b&size=>3&sort=-size,name&limit=5&offset=10&q=x&valid_on=y").json()
    assert asked == {
        "filters": [["name", ["a", "b"]], ["size", [">3"]]],
        "sort": [["size", True], ["name", False]],
        "limit": 5,
        "offset": 10,
        "q": "x",
    }
    assert client.get("/things").json()["sort"] == [["name", False]]
    parameters = client.get("/openapi.json").json()["paths"]["/things"]["get"]["parameters"]
    assert {parameter["name"] for parameter in parameters} == {*COLUMNS, "q", "sort", "limit", "offset", "valid_on"}


@pytest.mark.parametrize("query", ["colour=red", "sort=colour", "sort=roles", "sort=name;drop", "sort=,"])
def test_what_is_not_declared_is_refused(client: TestClient, query: str) -> None:
    with pytest.raises(BadInput):
        client.get(f"/things?{query}")


@pytest.mark.parametrize("query", ["limit=0", "limit=1001", "offset=-1"])
def test_pages_have_limits(client: TestClient, query: str) -> None:
    assert client.get(f"/things?{query}").status_code == 422


def test_text_is_folded() -> None:
    assert fold("ŽLUŤOUČKÝ kůň") == "zlutoucky kun"


def test_other_tables_are_joined_only_where_a_filter_or_the_sort_needs_them() -> None:
    connection = Mock(spec=Connection)
    others = THINGS.alias("other")
    overview = Overview(
        "things",
        THINGS,
        THINGS.c.id,
        (COLUMNS["name"], Column("other", others.c.name)),
        (("name", False),),
        joined=THINGS.join(others, others.c.id == THINGS.c.size),
    )

    def statements(asked: Asked) -> list[str]:
        connection.execute.reset_mock()
        connection.execute.return_value.scalar_one.return_value = 10_001
        assert overview.find(connection, asked).total in (10_000, 10_001)
        return [str(call.args[0]) for call in connection.execute.call_args_list]

    plain_count, plain_page = statements(Asked())
    assert "JOIN" not in plain_count
    assert plain_page.count("JOIN") == 1
    sorted_count, sorted_page = statements(Asked(sort=(("other", True),)))
    assert ("JOIN" not in sorted_count, sorted_page.count("JOIN")) == (True, 2)
    filtered_count, filtered_page = statements(Asked(filters=(("other", ("x",)),)))
    assert ("JOIN" in filtered_count, filtered_page.count("JOIN")) == (True, 2)


def test_a_filtered_overview_is_counted_up_to_a_limit() -> None:
    connection = Mock(spec=Connection)
    connection.execute.return_value.scalar_one.return_value = 10_001
    page = OVERVIEW.find(connection, Asked(filters=(("name", ("x",)),)))
    assert (page.total, page.more) == (10_000, True)
    assert "LIMIT" in str(connection.execute.call_args_list[0].args[0])
