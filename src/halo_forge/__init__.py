"""halo-forge: make a model better with rewards that a program can check."""

__version__ = "0.1.0"
