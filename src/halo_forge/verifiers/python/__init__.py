"""Python programs: `python`, `humaneval` and `mbpp`."""
