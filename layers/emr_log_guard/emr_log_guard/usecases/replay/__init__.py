"""Evaluating an event again, and redriving dead letters."""
