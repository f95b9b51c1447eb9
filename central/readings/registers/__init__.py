"""Registers: states with their meaning, what lies between two of them, and which tariff it falls to."""
