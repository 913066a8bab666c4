"""The wiring: each function's use case, made once a cold start from its environment.

A module a capability, so that no function imports the use cases and adapters of all others:
docs/adr/0002-own-boto3-in-a-layer.md
"""
