"""Market (trh): conversations with the market operator and the formats they are held in.

Bottom up: `format_package` (codes, lists, schemas as data), `xml` (the only parser of what comes from outside),
`envelope`, `cdsdata`, `response` (bytes to values and back), `states` (the table of a message's life), `messages` and
`tables` (the outbox in the database), `channel` and `send` (the way out), `answers` (the way in), `api`. `sandbox` is
the operator, played in a process of its own. Who has something to tell hands it down as plain data (`interval_report`).
"""
