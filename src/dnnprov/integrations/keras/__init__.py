"""Keras 3 on any backend: what is seen of a training, and how it is seen.

`callback` is what users hand to `fit`; `provenance` installs it for Fig. 6, `loop` is for loops of one's own. `probes`
tells which callback did what and `techniques` names it. `hyperparameters`, `optimizers`, `layers` and `filters` read a
model by way of `arguments` and `layer_tree`; `files` sees it written and read. `recording` hands it all to
`integrations.training_steps`, which knows no framework.
"""
