"""Ingest: what concentrators send becomes evidence, each batch once; what cannot be taken is kept in quarantine."""
