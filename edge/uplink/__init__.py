"""To central: births, numbered batches, acknowledgements, over any MQTT 5 client that fits the port."""
