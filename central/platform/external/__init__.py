"""External information (externí informace): sources, fetching with limits, the circuit breaker, versioned values."""
