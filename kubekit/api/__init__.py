"""The Kubernetes API as plain data: reading, applying, removing."""
