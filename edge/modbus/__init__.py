"""Modbus RTU and TCP in four layers: frames (bytes), maps and plan (model), exchange (state), driver (I/O)."""
