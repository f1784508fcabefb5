"""Which cluster a run may touch, and where its Docker is."""
