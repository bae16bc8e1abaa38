"""Which fault a simulated camera shows at which frame."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edge.settings.simulated import Fault, FaultKind


class FaultPlan:
    """The faults of one life, from a seed. Ask for frames in ascending order."""

    def __init__(self, faults: Sequence[Fault], seed: int, life: int) -> None:
        self._faults = [fault for fault in faults if fault.life is None or fault.life == life]
        self._until = [0] * len(self._faults)
        self._seed = seed

    def opening(self) -> FaultKind | None:
        """The fault that keeps the camera from opening, if there is one."""
        return next((fault.kind for fault in self._faults if fault.kind in ("refused", "not_there")), None)

    def at(self, number: int) -> frozenset[FaultKind]:
        """What frame `number` suffers."""
        now: set[FaultKind] = set()
        for index, fault in enumerate(self._faults):
            dice = np.random.default_rng((self._seed, 3, index, number))
            struck = fault.probability > 0 and dice.random() < fault.probability
            if struck or number in fault.frames:
                self._until[index] = max(self._until[index], number + fault.length)
            if number < self._until[index]:
                now.add(fault.kind)
        return frozenset(now)
