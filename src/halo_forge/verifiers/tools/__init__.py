"""Calls of tools: read as Hermes writes them, and compared with the calls that are right."""
