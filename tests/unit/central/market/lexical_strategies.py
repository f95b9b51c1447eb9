"""Strategies of records after their mapping: one for every lexical type, so that a round trip needs a format's name."""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from hypothesis import strategies as st

from central.market.format_package import FormatPackage
from central.market.mapping.model import Node, Value
from shared.identifiers import make_ean18

_DAYS = st.dates(date(1900, 1, 1), date(2999, 12, 31))


def values_of(package: FormatPackage, spec: Value) -> st.SearchStrategy[Any]:
    """Values that the lexical type can write, and read back the same."""
    match spec.type:
        case "code":
            return st.sampled_from([entry.ours for entry in package.code_list(str(spec.codes))])
        case "ean13":
            return st.sampled_from(["8591824000007", "8591824071502", "8591824556207", "8591824648933"])
        case "ean18":
            return st.integers(0, 10**10 - 1).map(lambda n: make_ean18(f"8591824{n:010d}"))
        case "eic":
            return st.sampled_from(["27ZG600Z0012345N", "27ZG600Z0067890H"])
        case "flag":
            return st.just(True)
        case "date":
            return _DAYS
        case "month":
            return _DAYS.map(lambda day: day.replace(day=1))
        case "instant" | "local_instant":
            return st.datetimes(datetime(1900, 1, 1), datetime(2999, 1, 1), timezones=st.just(UTC)).map(  # noqa: DTZ001  the bounds must be naive
                lambda at: at.replace(microsecond=0)
            )
        case "integer":
            return st.integers(-(10**18) + 1, 10**18 - 1)
        case "decimal":
            scale, most = spec.places or 0, 10**15
            return st.integers(-most if spec.signed else 0, most).map(lambda n: Decimal(n).scaleb(-scale))
        case "string":
            text = st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"], exclude_characters="\ufffe\uffff")
            return st.text(text, min_size=1, max_size=spec.length or 50).filter(lambda value: bool(value.strip()))
        case _:
            raise AssertionError(f"No strategy of the lexical type {spec.type}: add it where a mapping needs it.")


def fields_of(package: FormatPackage, nodes: tuple[Node, ...]) -> st.SearchStrategy[dict[str, Any]]:
    """The fields of a record whose elements these are, nested as the mapping nests them."""
    held = st.fixed_dictionaries({node.field: _held(package, node) for node in nodes if node.field is not None})
    for node in nodes:
        if node.field is None:
            held = st.tuples(held, _record(package, node)).map(lambda both: both[0] | both[1])
    return held


def _record(package: FormatPackage, node: Node) -> st.SearchStrategy[dict[str, Any]]:
    attributes = {
        spec.field: values_of(package, spec) if spec.required else st.none() | values_of(package, spec)
        for spec in node.attributes
    }
    return st.tuples(st.fixed_dictionaries(attributes), fields_of(package, node.children)).map(
        lambda both: both[0] | both[1]
    )


def _held(package: FormatPackage, node: Node) -> st.SearchStrategy[Any]:
    record = _record(package, node)
    if node.many:
        return st.lists(record, min_size=1 if node.required else 0, max_size=2)
    return record if node.required else st.none() | record
