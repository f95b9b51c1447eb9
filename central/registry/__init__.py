"""Registry: parties, supply points, contracts and their items."""
