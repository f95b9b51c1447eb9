"""Client of IEC 62056-21: mode C (readout and programming mode) and the opening of mode E. Bytes are in shared."""
