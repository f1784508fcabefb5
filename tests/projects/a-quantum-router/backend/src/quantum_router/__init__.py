"""Fits circuits to what a device can do."""
