"""The run folder: the single source of truth of everything that ran."""
