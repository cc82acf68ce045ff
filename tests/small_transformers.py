"""A small model of Transformers, made here and not loaded, and its data, for tests that train one."""

from __future__ import annotations

import os

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")

import torch
import transformers
from transformers import BertConfig, BertForSequenceClassification, Trainer, TrainingArguments, set_seed

transformers.logging.set_verbosity_error()
transformers.logging.disable_progress_bar()


class Words(torch.utils.data.Dataset):
    """Sentences of six of fifty words, in three classes."""

    def __init__(self, num_samples=24):
        self.words = torch.randint(0, 50, (num_samples, 6), generator=torch.Generator().manual_seed(1))

    def __len__(self):
        return len(self.words)

    def __getitem__(self, place):
        mask = torch.ones(6, dtype=torch.long)
        return {"input_ids": self.words[place], "attention_mask": mask, "labels": torch.tensor(place % 3)}


class NoLabels(Words):
    def __getitem__(self, place):
        return {name: value for name, value in super().__getitem__(place).items() if name != "labels"}


def small_bert():
    """The same weights each time."""
    set_seed(3)
    sizes = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 8}
    return BertForSequenceClassification(BertConfig(vocab_size=50, num_labels=3, max_position_embeddings=16, **sizes))


def accuracy(predicted):
    return {"accuracy": float((predicted.predictions.argmax(1) == predicted.label_ids).mean())}


def trainer(
    folder, callbacks=(), model=None, trainer_class=Trainer, optimizers=(None, None), data=None, given=None, **arguments
):
    """One with all that it needs, which trains `data` where that is not `None`; `given` are further arguments of it."""
    usual = {
        "output_dir": str(folder / "out"),
        "num_train_epochs": 2,
        "per_device_train_batch_size": 8,
        "learning_rate": 0.01,
        "report_to": "none",
        "use_cpu": True,
        "disable_tqdm": True,
        "save_strategy": "no",
        "logging_strategy": "no",
    }
    return trainer_class(
        model or small_bert(),
        TrainingArguments(**{**usual, **arguments}),
        train_dataset=Words() if data is None else data,
        eval_dataset=Words(9),
        compute_metrics=accuracy,
        callbacks=list(callbacks),
        optimizers=optimizers,
        **(given or {}),
    )
