"""Findings and alerts as text and JSON: pure. Whatever a user named is escaped for its reader."""
