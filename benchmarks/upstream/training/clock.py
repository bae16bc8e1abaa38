"""A training's time budget, its learning rate, and what it prints."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Iterator

import torch
from torch import nn


class Clock:
    """`for step in clock:` until the minutes are over; the learning rate falls along a half cosine of the time that is used.

    Minutes of this process's processor time, so that a loaded machine changes how long one waits and not what is trained.
    """

    def __init__(self, minutes: float, optimizer: torch.optim.Optimizer, name: str) -> None:
        self._seconds, self._optimizer, self._name = minutes * 60, optimizer, name
        self._rates = [group["lr"] for group in optimizer.param_groups]
        self._means: list[float] = []
        self.steps = 0

    def __iter__(self) -> Iterator[int]:
        started = shown = time.process_time()
        while (used := time.process_time() - started) < self._seconds:
            for group, rate in zip(self._optimizer.param_groups, self._rates, strict=True):
                group["lr"] = rate * 0.5 * (1 + math.cos(math.pi * used / self._seconds))
            yield self.steps
            self.steps += 1
            if time.process_time() - shown > 20:
                shown = time.process_time()
                told = " + ".join(f"{mean:.4f}" for mean in self._means)
                print(f"{self._name}: {used:4.0f} s, step {self.steps}, loss {told}", file=sys.stderr, flush=True)

    def step(self, parameters: list[nn.Parameter], *losses: torch.Tensor) -> None:
        """One step of the optimiser on the sum of the losses, gradients clipped."""
        self._optimizer.zero_grad(set_to_none=True)
        torch.stack(losses).sum().backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(parameters, 5.0)
        self._optimizer.step()
        values = [float(loss.detach()) for loss in losses]
        self._means = [0.95 * mean + 0.05 * value for mean, value in zip(self._means or values, values, strict=True)]
