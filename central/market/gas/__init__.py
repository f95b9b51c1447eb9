"""Gas: data that wait until the market operator's EDIGAS schemas are there."""
