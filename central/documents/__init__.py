"""Documents: files as they were given or made."""
