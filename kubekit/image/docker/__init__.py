"""A Docker daemon: its connection, its calls, and the stores of images in it."""
