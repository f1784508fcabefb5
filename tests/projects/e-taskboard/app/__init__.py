"""A board of tasks in one file of sqlite."""
