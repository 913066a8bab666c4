"""Alerts as text, JSON, Slack blocks and findings of other tools."""
