"""The market operator's own schemas: read from its archive, compared with our mappings, in force message by message."""
