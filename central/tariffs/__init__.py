"""Law as data: dated, checksummed legislative packages with prices, bands, rounding and the rules they name."""
