"""The wiring: each function's use case, made once a cold start from its environment.

A module a capability, with a function for each Lambda function. All in one module would start
CheckCluster in 2.2 times the floor instead of 1.7: docs/adr/0002-own-boto3-in-a-layer.md
"""
