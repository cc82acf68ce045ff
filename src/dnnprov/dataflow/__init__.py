"""The paper's face (Fig. 5): dataflows, transformations, tasks and data sets, declared and recorded by name.

`Dataflow`, `Transformation`, `Set` and `Attribute` say what there is to record (p-prov); `Task`, `DataSet` and
`Element` record it (r-prov), through the same capture and into the same tables as `start_run`. A `Recording` knows
which run.
"""
