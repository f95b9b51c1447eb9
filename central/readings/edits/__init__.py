"""Manual edits (ruční úpravy) of day profiles: proposed with a reason and its effect, in force, undone."""
