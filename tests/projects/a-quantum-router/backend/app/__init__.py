"""The HTTP side of the router."""
