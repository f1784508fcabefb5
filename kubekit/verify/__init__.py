"""A built image and a container of it, checked against what a good backend's image is."""
