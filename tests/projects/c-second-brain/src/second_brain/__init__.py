"""Notes, and what is known of them."""
