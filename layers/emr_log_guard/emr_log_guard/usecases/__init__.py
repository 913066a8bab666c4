"""What the guard does: gather, judge, decide, act. Services are Protocols here."""
