"""From a build context to an image in a Docker daemon."""
