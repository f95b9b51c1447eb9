"""Reports (výkazy): a definition as data, an instance of a period, filled, overridden, closed, told or filed."""
