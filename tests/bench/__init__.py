"""Measurements, each into build/bench/NAME.json; what bounds them stands in README.md."""
