"""What must be done to meters and the network, when, by whom, and what came of it."""
