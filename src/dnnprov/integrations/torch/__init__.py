"""Plain PyTorch loops: what is seen of a training that nobody told us of, and how it is seen.

`hooks` stands where every loop comes by: a pass over a DataLoader, `backward`, the step of an optimizer, a criterion, a
file saved or loaded. It tells `loops`, which knows one thread's passes and trainings; a `training` counts the epochs
of one. `optimizers`, `schedulers`, `losses`, `layers`, `loaders`, `data` and `transforms` read what it trains with,
`living` finds the model and the schedulers that belong to an optimizer, `files` sees tensors written and read. `watch`
is the form for those who rather say what trains. All is handed to `integrations.training_steps`, which knows no
framework.
"""
