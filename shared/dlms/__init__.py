"""Bytes and model of DLMS/COSEM: HDLC frames, TCP wrapper, A-XDR, application messages. No I/O, no state of a session."""
