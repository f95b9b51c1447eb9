"""What the market operator must be told is found in the database, kept as duties, and made into messages."""
