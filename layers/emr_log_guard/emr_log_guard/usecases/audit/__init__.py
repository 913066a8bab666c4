"""Auditing an account by hand: scope, Regions, log objects."""
