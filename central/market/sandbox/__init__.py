"""A sandbox of OTE: a small server that takes our messages, checks them and answers by calling back.

It knows nothing of our database: what it got it keeps in a folder of its own. Its formats are ours (see `formats/`).
"""

from central.market.sandbox.command import main

__all__ = ["main"]
