"""Optuna: a study is a run, each of its trials a run below it.

`study_recording` says what is seen of a study to `integrations.search_steps`; `studies` knows which study is recorded,
and has the wrappers around Optuna's public methods that see it; `shared_study` finds the run of a study that
several processes work on.
"""
