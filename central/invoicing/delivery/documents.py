"""What can be delivered: invoices of all kinds, requests of advances, tax documents of received advances."""

from typing import Final

SORTS: Final = ("invoices", "advances", "advance_documents")

DOCUMENTS: Final = """
    -- every document with its own number; exactly one of the first three names where it stands
    SELECT i.id AS invoice, CAST(NULL AS bigint) AS advance, CAST(NULL AS bigint) AS advance_document,
           'invoices' AS sort, i.number, i.payer, i.supplier AS seller, i.state = 'cancelled' AS cancelled,
           i.state = 'issued' AS waits, i.language, i.due_date, i.variable_symbol, i.payable, i.currency
      FROM invoice i
    UNION ALL
    SELECT NULL, a.id, NULL, 'advances', a.number, a.payer, a.seller, a.state = 'cancelled',
           a.state = 'sent' AND NOT EXISTS (SELECT FROM delivery x WHERE x.number = a.number),
           coalesce(l.language, 'cs'), a.due, a.number, CASE WHEN a.state = 'sent' THEN a.amount ELSE 0 END, a.currency
      FROM advance a LEFT JOIN document_language l ON l.party = a.payer
     WHERE a.number IS NOT NULL
    UNION ALL
    SELECT NULL, NULL, t.id, 'advance_documents', t.number, t.payer, t.seller, false,
           NOT EXISTS (SELECT FROM delivery x WHERE x.number = t.number),
           coalesce(l.language, 'cs'), t.issue_date, t.number, 0, t.currency
      FROM advance_document t LEFT JOIN document_language l ON l.party = t.payer
"""
