"""Accelerate: a tracker for `Accelerator(log_with=...)`, which records what a loop hands to it."""
