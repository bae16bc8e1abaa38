"""Many arrays in little memory: kept as they are up to a budget, then as .npy files in a temporary folder."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import overload

import numpy as np
from typing_extensions import Self

from edge.errors import ConfigError
from edge.types import MapF32

BUDGET_BYTES = 1_000_000_000


class MapStore:
    """Maps by number. A context manager: on leaving it, also by an error or a cancel, its files are gone.

    budget_bytes: what may stay in memory. `put` raises ConfigError where the temporary folder is full or cannot be written.
    """

    def __init__(self, budget_bytes: int = BUDGET_BYTES) -> None:
        self._left = budget_bytes
        self._held: list[MapF32 | Path] = []
        self._folder: tempfile.TemporaryDirectory[str] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._held.clear()
        if self._folder is not None:
            self._folder.cleanup()
            self._folder = None

    def put(self, values: MapF32) -> int:
        """Keep a float32 map; its number."""
        number = len(self._held)
        if values.nbytes <= self._left:
            self._left -= values.nbytes
            self._held.append(values)
            return number
        try:
            self._held.append(self._written(number, values))
        except OSError as error:
            remedy = "free space there, or set TMPDIR to a folder on a larger disk"
            message = f"the maps of {number + 1} frames do not fit ({error.strerror or error})"
            raise ConfigError(message, where=tempfile.gettempdir(), remedy=remedy) from None
        return number

    def _written(self, number: int, values: MapF32) -> Path:
        if self._folder is None:
            self._folder = tempfile.TemporaryDirectory(prefix="lineclear-maps-")
        path = Path(self._folder.name) / f"{number:06d}.npy"
        np.save(path, values, allow_pickle=False)
        return path

    def get(self, number: int) -> MapF32:
        """The map of this number; not to be changed."""
        held = self._held[number]
        return held if isinstance(held, np.ndarray) else np.asarray(np.load(held, allow_pickle=False), np.float32)

    @property
    def files(self) -> int:
        """How many maps are on the disk."""
        return sum(isinstance(held, Path) for held in self._held)


class StoredMaps(Sequence[MapF32]):
    """Maps of a store, read one by one as they are asked for; NaN (not judged) becomes `floor`, the lowest score."""

    def __init__(self, store: MapStore, numbers: Sequence[int]) -> None:
        self._store, self._numbers = store, tuple(numbers)
        lows = [float(np.fmin.reduce(store.get(number), axis=None)) for number in self._numbers]
        self.floor = min([0.0, *(low for low in lows if np.isfinite(low))])

    def __len__(self) -> int:
        return len(self._numbers)

    @overload
    def __getitem__(self, index: int) -> MapF32: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[MapF32]: ...
    def __getitem__(self, index: int | slice) -> MapF32 | Sequence[MapF32]:
        """One map, float32, finite."""
        if isinstance(index, slice):
            return [self[place] for place in range(*index.indices(len(self)))]
        return np.nan_to_num(self._store.get(self._numbers[index]), nan=self.floor)
