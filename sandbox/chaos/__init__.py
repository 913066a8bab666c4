"""Faults of AWS injected into the deployed stack, and what it makes of them: `make chaos`."""
