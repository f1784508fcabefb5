"""A list of things to do, for each user their own."""
