"""Housekeeping: what is old and stands under no bill is dropped; the Community edition's columnstore where it is."""
