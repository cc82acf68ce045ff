"""The Trainer of Hugging Face transformers: what is seen of it, and how it is seen.

`callback` is what users hand to a Trainer, `automatic` what `autolog` adds to every Trainer. `recording` hands what
they see to `integrations.training_steps`; for it `hyperparameters` reads the arguments, `filters` what prepares the
data, `epoch_logs` tells which logged values are of which epoch, `endings` why a training ended, `saved_models` what
lies in a folder. `calls` sees a `train` that fails and a `save_model`, of which no callback is told, and
`trainer_frames` finds the Trainer that calls a callback.
"""
