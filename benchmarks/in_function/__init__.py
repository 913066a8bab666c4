"""Scripts that run in a function's own environment, on its built layers."""
