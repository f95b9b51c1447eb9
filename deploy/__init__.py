"""What runs it: local stack, demo, command line."""
