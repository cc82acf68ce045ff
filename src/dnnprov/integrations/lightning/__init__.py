"""Lightning 2, as `lightning` or `pytorch_lightning`: what is seen of a Trainer, and how it is seen.

`callback` is what users hand to a Trainer, `logger` the same in the form of a Logger, `automatic` what `autolog` adds
to every Trainer. `recording` hands what they see to `integrations.training_steps`; for it `hyperparameters` reads the
Trainer, `epoch_metrics` tells which metrics are of which epoch, `endings` who changed a rate or stopped the training,
and `checkpoints` sees files written.
"""
