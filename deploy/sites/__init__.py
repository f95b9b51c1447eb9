"""Made-up sites of any size: registry, contracts, network and lines."""
