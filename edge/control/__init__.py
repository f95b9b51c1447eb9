"""What central decides about this concentrator: pushed configurations and commands."""
