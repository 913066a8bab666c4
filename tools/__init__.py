"""What is run from a checkout: it makes pages and templates, and is not deployed."""
