"""From a build context to an image where the pods find it."""
