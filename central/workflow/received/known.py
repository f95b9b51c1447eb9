"""What of a received message is known here: supply points by their codes."""

from collections.abc import Iterable

from sqlalchemy import Connection, select

from central.registry.tables import supply_point


def points_of(connection: Connection, codes: Iterable[str]) -> dict[str, int]:
    """Numbers of supply points by EAN or EIC; those that are not ours are left out."""
    wanted = sorted(set(codes))
    rows = connection.execute(select(supply_point.c.ean, supply_point.c.id).where(supply_point.c.ean.in_(wanted)))
    return {str(ean): int(number) for ean, number in rows}


def not_ours(codes: Iterable[str], known: dict[str, int]) -> str:
    """A sentence that names the points that are not ours; empty where all are."""
    strange = sorted(set(codes) - known.keys())
    return f"Not ours: {', '.join(strange[:10])}{' and others' if len(strange) > 10 else ''}." if strange else ""
