"""Registries: logins for them, the progress of a transfer, and what their refusals mean."""
