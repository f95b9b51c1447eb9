"""Readings from and to other systems: files in as evidence, profiles and states out."""
