"""Payments: what is to be paid and by whom, bank statements, matching, refunds, reminders and the journal."""
