"""The wiring: each function's use case, made once a cold start from its environment."""
