"""Where readings wait until central has committed them: one SQLite file, one writer."""
