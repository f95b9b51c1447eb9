"""Lines to meters: links (serial, TCP), timing, the queue with priorities, and the one task that owns a line."""
