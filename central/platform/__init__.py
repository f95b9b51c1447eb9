"""The floor under every room: database, migrations, settings, identity, audit, incarnation, clock, errors."""
