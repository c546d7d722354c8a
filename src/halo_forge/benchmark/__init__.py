"""Measuring a model: pass@k with intervals."""
