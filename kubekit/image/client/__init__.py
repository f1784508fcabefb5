"""What BuildKit asks of its client during a build: files, secrets and credentials."""
