"""Waiting for a rollout, and judging it."""
