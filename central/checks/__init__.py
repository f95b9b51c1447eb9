"""Checks (Energo-Kontroly): verdicts over billing bases before anything is invoiced."""
