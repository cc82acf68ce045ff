"""Frameworks that record by themselves: each one a small file over `training_steps`, which knows no framework."""
