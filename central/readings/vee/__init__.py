"""Validation: rules over day profiles, the work they are run for, and what they find."""
