"""Simulated meters of IEC 62056-21 (mode C, and the opening of mode E), without I/O: octets in, octets out."""
