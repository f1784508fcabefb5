"""A small service that behaves well in a pod."""
