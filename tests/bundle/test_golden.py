from __future__ import annotations

import io
import tracemalloc
import zipfile
from typing import Any

import numpy as np
import pytest

from edge.bundle import Declaration, contract
from edge.bundle.golden import pack_golden, unpack_golden
from edge.errors import BundleError
from tests.bundle.samples import declared, flat_outputs, random_inputs

DECLARATION = declared()
IMAGE = random_inputs(DECLARATION)["image"]
MAP = flat_outputs(DECLARATION)["anomaly_map"]


def npy(array: Any, **options: Any) -> bytes:
    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, array, **options)
    return buffer.getvalue()


def npz(**entries: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in entries.items():
            archive.writestr(name, data)
    return buffer.getvalue()


def golden(image: bytes, scores: bytes) -> bytes:
    return npz(**{"000.image.npy": image, "000.anomaly_map.npy": scores})


def test_plain_numpy_files_of_the_right_shape_are_read() -> None:
    inputs, outputs = unpack_golden(DECLARATION, golden(npy(IMAGE), npy(MAP)), "g")
    np.testing.assert_array_equal(inputs[0]["image"], IMAGE)
    np.testing.assert_array_equal(outputs[0]["anomaly_map"], MAP)


def test_numpy_itself_reads_what_is_written() -> None:
    data = pack_golden(DECLARATION, [{"image": IMAGE}], [{"anomaly_map": MAP}])
    with np.load(io.BytesIO(data), allow_pickle=False) as loaded:
        np.testing.assert_array_equal(loaded["000.image"], IMAGE)
        np.testing.assert_array_equal(loaded["000.anomaly_map"], MAP)


def test_packing_is_deterministic_and_takes_any_memory_layout() -> None:
    turned = np.asfortranarray(IMAGE)
    packed = [pack_golden(DECLARATION, [{"image": image}], [{"anomaly_map": MAP}]) for image in (IMAGE, turned)]
    assert packed[0] == packed[1]


class Bomb:
    def __reduce__(self) -> Any:
        return (print, ("a pickle was run",))


@pytest.mark.parametrize(
    "image",
    [
        npy(np.array([Bomb()], dtype=object), allow_pickle=True),
        npy(IMAGE.astype(np.float32)),
        npy(IMAGE.astype(np.int8)),
        npy(IMAGE[:, 1:]),
        npy(IMAGE[0]),
        npy(np.asfortranarray(IMAGE)),
        npy(IMAGE, version=(2, 0)),
        npy(IMAGE)[:-1],
        npy(IMAGE) + b"\0",
        npy(IMAGE).replace(b"(1, 24, 32, 3)", b"(1, 32, 24, 3)"),
        npy(IMAGE).replace(b"(1, 24, 32, 3)", b"(1, -4, 32, 3)"),
        npy(IMAGE).replace(b"'|u1'", b"'|b1'"),
        npy(IMAGE).replace(b"NUMPY", b"NUMPZ"),
        b"",
        b"\0" * len(npy(IMAGE)),
    ],
)
def test_other_arrays_are_refused_and_no_pickle_is_run(image: bytes, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(BundleError, match=r"000\.image\.npy is not `image: uint8 \[1, 24, 32, 3\]`"):
        unpack_golden(DECLARATION, golden(image, npy(MAP)), "g")
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_golden_values_are_finite(value: float) -> None:
    scores = MAP.copy()
    scores[0, 3, 4] = value
    with pytest.raises(BundleError, match="NaN or infinity"):
        unpack_golden(DECLARATION, golden(npy(IMAGE), npy(scores)), "g")
    with pytest.raises(BundleError, match="NaN or infinity"):
        pack_golden(DECLARATION, [{"image": IMAGE}], [{"anomaly_map": scores}])


@pytest.mark.parametrize(
    "entries",
    [
        {},
        {"000.image.npy": npy(IMAGE)},
        {"000.anomaly_map.npy": npy(MAP), "000.image.npy": npy(IMAGE)},
        {"000.image.npy": npy(IMAGE), "000.anomaly_map.npy": npy(MAP), "../x": b""},
        {"001.image.npy": npy(IMAGE), "001.anomaly_map.npy": npy(MAP)},
        {f"{i:03d}.{n}.npy": b"" for i in range(65) for n in ("image", "anomaly_map")},
    ],
)
def test_other_entries_are_refused(entries: dict[str, bytes]) -> None:
    with pytest.raises(BundleError, match="for each of 1 to 64 vectors"):
        unpack_golden(DECLARATION, npz(**entries), "g")


@pytest.mark.parametrize("data", [b"", b"PK", b"\x93NUMPY"])
def test_file_that_is_no_npz_is_refused(data: bytes) -> None:
    with pytest.raises(BundleError, match="no readable npz"):
        unpack_golden(DECLARATION, data, "g")


def huge() -> Declaration:
    size_wh = (16384, 16384)
    return declared(size_wh=size_wh, inputs=contract(size_wh, ["image"]), outputs=contract(size_wh, ["anomaly_map"]))


def test_huge_vectors_are_refused_before_memory_is_taken() -> None:
    tracemalloc.start()
    with pytest.raises(BundleError, match="512 MiB"):
        unpack_golden(huge(), golden(npy(IMAGE), npy(MAP)), "g")
    assert tracemalloc.get_traced_memory()[1] < 1 << 20
    tracemalloc.stop()


def test_entry_that_unpacks_to_more_than_the_manifest_asks_for_is_refused() -> None:
    data = golden(npy(IMAGE) + bytes(8 << 20), npy(MAP))
    tracemalloc.start()
    with pytest.raises(BundleError, match="is not"):
        unpack_golden(DECLARATION, data, "g")
    assert tracemalloc.get_traced_memory()[1] < 1 << 20
    tracemalloc.stop()
