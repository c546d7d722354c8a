"""Answers of problems: the last box, compared as mathematics in a process that can be killed."""
