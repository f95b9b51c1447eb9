"""The agent seen from outside, on the concentrator itself: metrics for Prometheus, status page, status as JSON."""
