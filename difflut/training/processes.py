"""Training in several processes at once, each with a part of every batch: PyTorch's distributed engine under torchrun.

Gradients are summed with plain all-reduce instead of DistributedDataParallel: a model here has a handful of large
parameter tensors, its regularisation and projection act outside its forward, and nothing has to be wrapped.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import torch
from torch import Tensor, distributed

from difflut.errors import ConfigError

T = TypeVar("T")


@dataclass(frozen=True)
class Processes:
    """This process's place among those that train one model; every method is called by all of them, in the same order.

    Attributes:
        rank: 0 to count - 1; rank 0 writes files.
        count: how many there are; 1 means that nothing is communicated.
    """

    rank: int = 0
    count: int = 1

    @staticmethod
    def current() -> Processes:
        """The processes of PyTorch's default group, or this one alone."""
        if not (distributed.is_available() and distributed.is_initialized()):
            return Processes()
        return Processes(distributed.get_rank(), distributed.get_world_size())

    def part(self, samples: int) -> slice:
        """This process's part of `samples` samples; parts differ by at most one sample."""
        return slice(samples * self.rank // self.count, samples * (self.rank + 1) // self.count)

    def sum(self, tensors: Iterable[Tensor | None]) -> None:
        """Add up tensors over all processes, in place; None, a parameter without a gradient, is passed over."""
        if self.count > 1:
            pending = [distributed.all_reduce(tensor, async_op=True) for tensor in tensors if tensor is not None]
            for work in pending:
                work.wait()

    def copy_from_first(self, tensors: Iterable[Tensor]) -> None:
        """Overwrite tensors with those of rank 0."""
        if self.count > 1:
            for tensor in tensors:
                distributed.broadcast(tensor, src=0)

    def on_first(self, function: Callable[[], T]) -> T:
        """What `function` gives in rank 0, for all; an exception of it is raised in all of them."""
        if self.count == 1:
            return function()
        box: list[Any] = [None, None]
        if self.rank == 0:
            try:
                box[0] = function()
            except Exception as error:  # noqa: BLE001 (raised again below, in every process)
                box[1] = error
        distributed.broadcast_object_list(box, src=0)
        if box[1] is not None:
            raise box[1]
        result: T = box[0]
        return result


@contextmanager
def launched_by_torchrun(device: str) -> Iterator[torch.device]:
    """Join the processes that torchrun started, if it did, and give this process's device.

    Args:
        device: "cpu" (processes talk through gloo) or "cuda" (NCCL; each process takes the GPU of its local rank).

    Raises:
        ConfigError: if there are more processes than GPUs on this machine.
    """
    if not (distributed.is_available() and distributed.is_torchelastic_launched()):
        yield torch.device(device)
        return
    place = torch.device(device)
    if device == "cuda":
        local_rank, gpus = int(os.environ["LOCAL_RANK"]), torch.cuda.device_count()
        if local_rank >= gpus:
            raise ConfigError(
                f"torchrun started process {local_rank + 1} on this machine, which has {gpus} GPUs; give "
                f"--nproc-per-node {gpus}"
            )
        place = torch.device("cuda", local_rank)
        torch.cuda.set_device(place)
    # Its functions keep the group that exists when they are defined as their default, and an optimizer imports them at
    # its first step: the group would outlive destroy_process_group, and gloo's threads abort the process when it ends.
    importlib.import_module("torch.distributed.nn")
    distributed.init_process_group("nccl" if device == "cuda" else "gloo")
    try:
        yield place
    finally:
        distributed.destroy_process_group()
