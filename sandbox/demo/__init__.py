"""The demo: `python -m sandbox.demo` plays the seed's four steps, and each of them gone wrong."""
