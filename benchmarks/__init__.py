"""Benchmarks beside Cloud Custodian, in the same emulated account: `make bench`."""
