"""Completions with their verdicts: collecting, storing and measuring them."""
