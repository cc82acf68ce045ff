"""The server: takes what clients of DfAnalyzer post, and writes it to journals as every recording is.

`app` answers requests, `recording_thread` makes posts durable before they are answered, `client_runs` knows which run a
post belongs to, `open_run` writes the journal of one, `serving` listens.
"""
