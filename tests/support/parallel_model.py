"""A tiny model that torchrun's processes train, and what each of them leaves behind for the test."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import torch
from torch import Tensor

from difflut.encoders import Thermometer
from difflut.heads import GroupSum
from difflut.layers import LUTLayer
from difflut.models import BaseModel


class Net(BaseModel):
    """(3, 4, 4) images, 3 classes; `project` notes a digest of all parameters for this process.

    Environment: DIGESTS, a folder for the digests; STOP_AT, the step after which the first process ends for good.
    """

    def __init__(self) -> None:
        super().__init__("parallel", input_size=48, num_classes=3, input_shape=(3, 4, 4))
        self.encoder = Thermometer(2)
        self.steps = 0

    def _build_layers(self) -> None:
        self.first = LUTLayer(self.encoder.output_width, 30, 4, connections="learnable", candidates=24)
        self.second = LUTLayer(30, 30, 4)
        self.head = GroupSum(3, 2.0)

    def _forward_impl(self, x: Tensor) -> Tensor:
        logits: Tensor = self.head(self.second(self.first(self.encoder(x.flatten(1)))))
        return logits

    def project(self) -> None:
        super().project()
        self.steps += 1
        rank = os.environ.get("RANK", "0")
        if "DIGESTS" in os.environ:
            content = torch.cat([p.detach().flatten() for p in self.parameters()]).numpy().tobytes()
            (Path(os.environ["DIGESTS"]) / rank).write_text(f"{self.steps} {hashlib.sha256(content).hexdigest()}")
        if self.steps == int(os.environ.get("STOP_AT", "-1")) and rank == "0":
            os._exit(3)  # as a killed process: nothing is cleaned up
