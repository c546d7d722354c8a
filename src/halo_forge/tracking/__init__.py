"""Trackers: a run's events told to TensorBoard, trackio, Weights & Biases or MLflow, while it goes on or later.

Each tracker's library lives in a process of its own that reads the run's `events.jsonl`, so nothing that it does can
slow, break or print into the run, and what is sent live is what a later export sends.
"""
