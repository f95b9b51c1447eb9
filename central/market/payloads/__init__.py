"""Contents of the market operator's messages as records, each with what must hold beyond its schema.

Days are calendar days and the last one is included. A function `problems` gives one sentence for every rule broken; it
knows neither XML nor a database. Fields and structure are ours (assumed) where the docstring names no source.
"""
