"""Customers, supply points and meters from files of tables, and back."""
