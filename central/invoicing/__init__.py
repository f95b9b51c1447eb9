"""Invoicing: numbered invoices from approved billing bases, as PDF with QR payment and as ISDOC."""
