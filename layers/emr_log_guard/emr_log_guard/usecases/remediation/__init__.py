"""Acting on a finding: re-evaluate, then terminate."""
