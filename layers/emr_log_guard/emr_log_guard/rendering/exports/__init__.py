"""What audit writes for machines."""
