"""Tracking stores of MLflow, read without MLflow and never written.

`tracking_store` is what all of them can be asked, in the records of `tracked`; `database` (SQLite), `mlruns` (folders)
and `server` (REST) are the three kinds. `points` keeps the values of metrics meanwhile, `epochs` says which of them
are of whole epochs, `parameters` what hyperparameters are, `artifacts` which files a run left, `telling` tells a run to
a segment, and `reading` puts them together.
"""
