"""The vocabulary both towers share: events, values, names and the predefined sets of DNNProv-Df.

It imports nothing of ours but `errors`, and of others only `msgspec`.
"""
