"""Meters as the agent sees them: sessions that read states and days of a load profile, whatever the protocol."""
