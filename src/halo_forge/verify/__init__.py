"""Verdicts on completions that are there already: a file of rows, or one program."""
