"""What is done to a file of rows before it is used: checked, deduplicated, decontaminated, split.

Every step reads a file once or twice from front to back, in a fixed order, and holds a few bytes a row.
"""
