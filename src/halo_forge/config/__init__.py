"""One pydantic schema a command: it gives the flags, the YAML keys and the checks. No machine-learning imports."""
