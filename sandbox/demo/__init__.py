"""The demo: `python -m sandbox.demo` plays the seed's four steps, each right and with mistakes."""
