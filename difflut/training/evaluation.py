"""Evaluation: what a model computes on many samples."""

from __future__ import annotations

import torch
from torch import Tensor

from difflut.data import Split
from difflut.models.base_model import BaseModel


@torch.no_grad()
def predict(model: BaseModel, x: Tensor, batch_size: int = 1000) -> Tensor:
    """Logits float32 (N, num_classes) in eval mode; the model's mode is restored afterwards."""
    was_training = model.training
    model.eval()
    device = model.encoder.thresholds.device
    parts = [model(part.to(device)).cpu() for part in x.split(batch_size)] if len(x) else []
    model.train(was_training)
    return torch.cat(parts) if parts else torch.zeros(0, model.num_classes)


def accuracy(model: BaseModel, split: Split, batch_size: int = 1000) -> float:
    """The fraction of samples whose largest logit is at the label; ties go to the lowest index."""
    return float((predict(model, split.x, batch_size).argmax(dim=1) == split.y).float().mean())
