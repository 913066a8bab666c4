"""Delivering notifications to Slack, Amazon Q, EventBridge and Security Hub."""
