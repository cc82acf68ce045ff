"""What other systems recorded, brought into the journals of a store.

An importer (`csv_logger`, `trainer_state`, `dfanalyzer`, `tensorboard`) reads a source and yields an `ImportedRun` for
each training in it; `importing` writes their events into segments that appear when all are whole, and skips the runs
that the store has already. So an import is like any recording: ingest takes it in, and a rebuild brings it back.
"""
