"""A client of BuildKit: it answers for files, secrets and logins, and reads what a build tells."""
