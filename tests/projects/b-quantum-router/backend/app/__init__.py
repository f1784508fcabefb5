"""A router that chooses a device for a job."""
