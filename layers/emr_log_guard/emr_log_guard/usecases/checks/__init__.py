"""What an event has checked: a cluster, its log objects, a key; and the hourly review."""
