"""Which approved bases are to be invoiced, and how they fall into documents. The grouping is pure."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Literal

from sqlalchemy import Connection, Row, text

from central.invoicing.kinds import ANNUAL, CANCELLING, CORRECTIVE, NEVER_INVOICED, SETTLING_ANEW
from central.platform.errors import NotFound
from shared.metering_day import PRAGUE

Grouping = Literal["contract", "supply_point", "payer"]

SETTLING = frozenset({"annual", "final"})
"""Statements that end a period: they deduct all that was paid in advance for it."""

TO_INVOICE = """
    -- approved bases with both sides, which say who invoices whom (the registry may have moved on); accruals and what
    -- the superior distributor should bill are never invoiced. original: the document whose line a basis takes back or
    -- stands in the place of, and between whom that one is
    SELECT b.id, b.input, b.supply_point, b.contract, b.contract_item, c.kind AS contract_kind, c.due_days,
           b.seller AS supplier, b.payer, b.amount, b.vat_percent, b.statement_type, b.reason, lower(b.valid) AS start,
           upper(b.valid) AS stop, r.statement, billed.invoice AS original, issued.payer AS original_payer,
           issued.supplier AS original_supplier, issued.state AS original_state, b.original AS takes_back,
           md5(concat_ws('|', b.fingerprint, b.name, b.quantity, b.unit_price, b.amount, b.vat_percent)) AS stamp
      FROM billing_basis b
      JOIN supply_point sp ON sp.id = b.supply_point
      JOIN contract c ON c.id = b.contract
      LEFT JOIN settlement_run r ON r.id = b.run
      LEFT JOIN invoice_line billed ON billed.basis = b.original
      LEFT JOIN invoice issued ON issued.id = billed.invoice
     WHERE b.state = 'approved' AND b.service <> 'purchase' AND b.statement_type <> ALL (:never)
       AND (CAST(:run AS bigint) IS NULL OR b.run = :run)
       AND (CAST(:payer AS text) IS NULL OR b.payer = (SELECT id FROM party WHERE code = :payer))
       AND (CAST(:contracts AS text[]) IS NULL OR c.number = ANY (:contracts))
       AND (CAST(:bases AS bigint[]) IS NULL OR b.id = ANY (:bases))
       AND (CAST(:calendar AS bigint[]) IS NULL OR EXISTS (
            SELECT FROM payment_calendar pc
             WHERE pc.id = ANY (:calendar) AND pc.contract = b.contract
               AND b.valid && tstzrange(lower(pc.period)::timestamp AT TIME ZONE 'Europe/Prague',
                                        upper(pc.period)::timestamp AT TIME ZONE 'Europe/Prague')))
     ORDER BY sp.ean, b.id
"""
# locked, so that nobody issues them twice
LOCKED = text(TO_INVOICE + " FOR UPDATE OF b")
LOOKED_AT = text(TO_INVOICE)


@dataclass(frozen=True, slots=True)
class Selection:
    """Which approved bases: of a run, a payer (code), contracts (numbers), rows of the payment calendar, or these."""

    run: int | None = None
    payer: str | None = None
    contracts: Sequence[str] | None = None
    calendar: Sequence[int] | None = None
    bases: Sequence[int] | None = None


@dataclass(frozen=True, slots=True)
class Order:
    """The bases of one document-to-be. `contract` is None for one of several; `original` is the document it is about.

    `settles`: the contracts whose period it ends, so it deducts all that was paid in advance under them.
    """

    kind: str
    supplier: int
    payer: int
    contract: int | None
    original: int | None
    reason: str | None
    settles: frozenset[int]
    bases: Sequence[Row[Any]]

    @property
    def about(self) -> frozenset[int]:
        """Documents whose VAT it goes on from: the original, and those whose lines an annual statement takes back."""
        taken = {_original(basis) for basis in self.bases} | {self.original}
        return frozenset(document for document in taken if document is not None)

    @property
    def contracts(self) -> list[int]:
        return sorted({basis.contract for basis in self.bases})

    def until(self, contracts: Collection[int]) -> date:
        """The day up to which (exclusive) it bills these contracts."""
        last: datetime = max(basis.stop for basis in self.bases if basis.contract in contracts)
        return last.astimezone(PRAGUE).date()


def select_bases(connection: Connection, selection: Selection, *, lock: bool) -> Sequence[Row[Any]]:
    """The approved bases that a selection names, by EAN; `lock` holds them until the transaction ends.

    Only what the grouping needs: 90,000 of them with all that they say would not fit into the memory we allow.
    """
    parameters = {
        "run": selection.run,
        "payer": selection.payer,
        "contracts": None if selection.contracts is None else list(selection.contracts),
        "calendar": None if selection.calendar is None else list(selection.calendar),
        "bases": None if selection.bases is None else list(selection.bases),
        "never": sorted(NEVER_INVOICED),
    }
    return connection.execute(LOCKED if lock else LOOKED_AT, parameters).all()


UNKNOWN = text("""
    -- what is named and does not exist
    SELECT 'party' AS what, CAST(:payer AS text) AS named
     WHERE CAST(:payer AS text) IS NOT NULL AND NOT EXISTS (SELECT FROM party WHERE code = :payer)
    UNION ALL
    SELECT 'contract', given.number FROM unnest(CAST(:contracts AS text[])) AS given (number)
     WHERE NOT EXISTS (SELECT FROM contract c WHERE c.number = given.number)
    UNION ALL
    SELECT 'calendar row', CAST(given.id AS text) FROM unnest(CAST(:calendar AS bigint[])) AS given (id)
     WHERE NOT EXISTS (SELECT FROM payment_calendar pc WHERE pc.id = given.id)
     LIMIT 1
""")


def require_named(connection: Connection, selection: Selection) -> None:
    """Raise NotFound where a payer, contract or row of the calendar that is named does not exist."""
    asked = {
        "payer": selection.payer,
        "contracts": list(selection.contracts or ()),
        "calendar": list(selection.calendar or ()),
    }
    row = connection.execute(UNKNOWN, asked).first()
    if row is not None:
        raise NotFound(
            f"{row.what.replace(' ', '_')}_not_found",
            f"There is no {row.what} {row.named}; nothing of the selection is invoiced.",
        )


def orders(bases: Iterable[Row[Any]], grouping: Grouping) -> list[Order]:
    """The documents that bases fall into, in the order of their first EANs.

    One a contract, a supply point or a payer; under a framework contract the payer gets one with a part per point
    whatever the grouping. What corrects or cancels stands apart, one document for each original, of all contracts that
    it holds; so does the annual statement. What is billed to another payer than its original was is a statement of its
    own: the original's payer alone gets a document about it. So is what is billed again of a cancelled document: it has
    ended, and nothing is about it any more.
    """
    rows = list(bases)
    followed = _originals(rows)
    groups: dict[tuple[Any, ...], list[Row[Any]]] = {}
    for row in rows:
        family, original = _family(row, followed)
        collective = original is not None or grouping == "payer" or row.contract_kind == "framework"
        shared = None if collective else row.supply_point if grouping == "supply_point" else row.contract
        groups.setdefault((row.supplier, row.payer, collective, shared, family, original), []).append(row)
    return [_order(key[2], key[4], key[5], group) for key, group in groups.items()]


def _original(row: Row[Any]) -> int | None:
    """The document that a basis is about; none where that one is another payer's, or of another who invoices, nor of
    what is billed again after nothing of that one stood any more."""
    if (row.original_supplier, row.original_payer) != (row.supplier, row.payer):
        return None
    if row.original_state == "cancelled" and row.statement_type in CORRECTIVE:
        return None
    original: int | None = row.original
    return original


def _originals(rows: Sequence[Row[Any]]) -> dict[tuple[int, ...], int]:
    """By bill: the document that the first of its corrections is about, for lines without an original."""
    found: dict[tuple[int, ...], int] = {}
    for row in rows:
        original = _original(row)
        if original is not None and row.statement_type not in ANNUAL:
            found.setdefault(_bill(row), original)
    return found


def _bill(row: Row[Any]) -> tuple[int, ...]:
    """Point, contract, and between whom."""
    return row.supply_point, row.contract, row.supplier, row.payer


def _family(row: Row[Any], followed: Mapping[tuple[int, ...], int]) -> tuple[str, int | None]:
    if row.statement_type in ANNUAL:
        return "annual", None
    if row.statement_type in CANCELLING | CORRECTIVE:
        original = _original(row) or followed.get(_bill(row))
        if original is not None:
            return "correction", original
        if row.statement_type in SETTLING_ANEW:
            return "annual", None
    return "statement", None


def _order(collective: bool, family: str, original: int | None, group: Sequence[Row[Any]]) -> Order:
    contracts = {row.contract for row in group}
    return Order(
        kind=_kind(collective, family, group),
        supplier=group[0].supplier,
        payer=group[0].payer,
        contract=contracts.pop() if len(contracts) == 1 else None,
        original=original,
        reason="; ".join(dict.fromkeys(row.reason for row in group if row.reason)) if original else None,
        settles=frozenset(row.contract for row in group if family == "annual" or row.statement in SETTLING),
        bases=group,
    )


def _kind(collective: bool, family: str, group: Sequence[Row[Any]]) -> str:
    if family == "correction":
        cancelling = all(row.statement_type in CANCELLING for row in group)
        return "cancelling" if cancelling else "corrective"
    if family == "annual":
        return "annual"
    return "collective" if collective else "regular"
