"""The parts of `benchmarks/verify.py`."""
