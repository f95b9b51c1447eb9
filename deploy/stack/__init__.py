"""The embedded stack: real TimescaleDB and mosquitto in a private folder, without root and without Docker."""
