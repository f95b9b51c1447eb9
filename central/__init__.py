"""The operator's system: evidence, profiles, settlement, checks, invoices, market messages."""
