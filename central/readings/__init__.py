"""Readings: from blocks (evidence) to day profiles (truth), their versions, completeness and trace."""
