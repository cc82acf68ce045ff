"""Answers from the provenance database: the paper's questions, single runs, and anyone's SQL.

`history` is the door. It resolves names (`selection`), asks `questions`, gathers what is known of one run (`run_view`)
and hands everything back as a `result`. Nothing here writes: what is new in the journals is taken in by `store`.
"""
