"""What looks for evidence in a snapshot: each yields hits, none decides. Pure."""
