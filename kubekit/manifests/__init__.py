"""Templates and plain YAML made into the objects to apply."""
