"""Ray Tune: an experiment is a run, each of its trials a run below it.

`callback` is what users hand to Ray Tune, in whose driver process it records what trials report. `controller` finds out
who decides there, `search_space` reads where is searched, and `automatic` adds the callback for `dnnprov.autolog()`.
"""
