"""Deterministic load curves: what a simulated consumer, plant or boiler takes in each interval."""
