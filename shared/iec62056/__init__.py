"""Bytes and model of IEC 62056-21 (mode C), shared by the client and the simulated meters. No I/O."""
