"""What meters send unasked: a listener, who the senders are, and what their messages mean."""
