"""Verifiers made of verifiers: in a row (`chain`), or the one that fits the language (`auto`)."""
