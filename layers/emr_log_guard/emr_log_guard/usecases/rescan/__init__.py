"""Re-scans: plan, shards, results."""
