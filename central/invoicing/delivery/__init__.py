"""Issued documents on their way: by mail with a state for each message, or in batches for print."""
