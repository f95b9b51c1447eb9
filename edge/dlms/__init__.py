"""Client side of DLMS/COSEM: link and association as state machines without I/O, and the one module that does I/O."""
