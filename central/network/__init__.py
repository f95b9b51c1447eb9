"""Network: concentrators, meters, evidence channels (what a meter measures), channels (what is settled), mappings."""
