"""What the guard does: gather, evaluate, record, decide, act. Services are Protocols here."""
