"""Simulated meters that speak the real protocols on real byte streams."""
