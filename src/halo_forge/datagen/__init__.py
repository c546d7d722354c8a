"""Training data written by a model behind an API: planned, paid for once, checked, and rebuilt from a ledger."""
