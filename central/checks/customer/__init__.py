"""Customer checks (zákaznické kontroly): added by one operator without touching those of a release."""
