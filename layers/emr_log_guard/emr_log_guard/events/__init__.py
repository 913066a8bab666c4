"""What arrives, parsed strictly: only the fields that are read, unknown fields of AWS ignored."""
