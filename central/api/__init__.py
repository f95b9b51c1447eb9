"""The HTTP interface: an app that carries every room's routes."""
