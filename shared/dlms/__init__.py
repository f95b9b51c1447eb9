"""Bytes and model of DLMS/COSEM: HDLC frames, TCP wrapper, A-XDR, application messages. Neither I/O nor state."""
