"""The user's text files, read strictly: every value with its place, every fault with what to do."""
