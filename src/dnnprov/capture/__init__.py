"""The recording side: runs, tasks and what they log, as events in a journal.

It never touches the database or the network, and never raises into a training (promise P1).
"""
