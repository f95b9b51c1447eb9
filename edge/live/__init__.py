"""Live series: quantities of the moment, sampled on a grid and delivered in blocks.

A value belongs to the interval that begins at its grid instant, and is taken only if it came within that interval. A
sample that nobody took ends its block and is counted as a gap; no value is ever made up. What waits in memory for its
block to fill is lost with the process: at most `block_s` seconds, counted as a gap at the next start.
"""
