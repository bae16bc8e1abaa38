"""A training's time budget, its learning rate, and what it prints."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Iterator

import torch
from torch import nn


class Clock:
    """`for step in clock:` until the minutes are over; the learning rate falls along a half cosine of the time that is used."""

    def __init__(self, minutes: float, optimizer: torch.optim.Optimizer, name: str) -> None:
        self._seconds, self._optimizer, self._name = minutes * 60, optimizer, name
        self._rates = [group["lr"] for group in optimizer.param_groups]
        self._mean = float("nan")
        self.steps = 0

    def __iter__(self) -> Iterator[int]:
        started = shown = time.monotonic()
        while (used := time.monotonic() - started) < self._seconds:
            for group, rate in zip(self._optimizer.param_groups, self._rates, strict=True):
                group["lr"] = rate * 0.5 * (1 + math.cos(math.pi * used / self._seconds))
            yield self.steps
            self.steps += 1
            if time.monotonic() - shown > 20:
                shown = time.monotonic()
                print(f"{self._name}: {used:4.0f} s, step {self.steps}, loss {self._mean:.4f}", file=sys.stderr, flush=True)

    def step(self, loss: torch.Tensor, parameters: list[nn.Parameter]) -> None:
        """One step of the optimiser, gradients clipped."""
        self._optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(parameters, 5.0)
        self._optimizer.step()
        value = float(loss.detach())
        self._mean = value if math.isnan(self._mean) else 0.95 * self._mean + 0.05 * value
