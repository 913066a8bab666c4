"""The wiring: each function's use case, made at its cold start from the environment.

One module per capability, so that no function imports the use cases and adapters of all others:
docs/adr/0002-own-boto3-in-a-layer.md
"""
