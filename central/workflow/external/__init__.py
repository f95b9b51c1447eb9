"""External information: an adapter for each kind of source, the worker that runs them, and their routes."""
