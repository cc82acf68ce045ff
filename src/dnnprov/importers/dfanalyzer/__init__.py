"""Dumps of DfAnalyzer, the system that Keras-Prov and DNNProv of the paper, and DLProv after them, were built on.

`dump` knows the format of MonetDB, `plan` the tables that DfAnalyzer keeps of dataflows and tasks, `rows` keeps the
rows of data sets in order, `executions` tells which of them are of one run, `reading` makes runs of them.
"""
