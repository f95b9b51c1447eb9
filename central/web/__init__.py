"""Pages for people: what a technician needs on a phone."""
