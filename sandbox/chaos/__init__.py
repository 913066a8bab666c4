"""`make chaos`: injects AWS faults into the deployed stack, and verifies what it does."""
