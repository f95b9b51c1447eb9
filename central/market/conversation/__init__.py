"""Conversations with the market operator: scenarios, their steps, deadlines, outages, what waits for a decision."""
