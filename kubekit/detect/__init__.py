"""What an existing backend is, read from its files; nothing of it is run or imported."""
