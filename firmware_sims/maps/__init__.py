"""Register maps of Modbus meters, as data."""
