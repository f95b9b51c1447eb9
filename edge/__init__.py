"""The concentrator's agent: polls meters, keeps blocks in an outbox, publishes them."""
