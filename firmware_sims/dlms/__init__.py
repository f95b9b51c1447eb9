"""Simulated DLMS/COSEM meters, without I/O: bytes in, bytes out."""
