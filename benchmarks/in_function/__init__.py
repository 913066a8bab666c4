"""Scripts that run in a function's own environment, with its built layers."""
