"""Advances: what is asked for, what came, its tax documents, and what statements deduct."""
