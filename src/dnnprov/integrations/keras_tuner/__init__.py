"""Keras Tuner: a tuner is a run, each of its trials a run below it.

`tuner_recording` says what is seen of a tuner to `integrations.search_steps`; `tuners` knows which tuner is recorded.
What Keras trains in a trial is recorded by a `ProvenanceCallback` among the callbacks of `search`.
"""
