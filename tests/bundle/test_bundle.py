from __future__ import annotations

import gc
import hashlib
import json
import os
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from edge.bundle import Declaration, DenoisingLoop, Manifest, Tiling, contract, open_bundle
from edge.errors import BundleError
from tests.bundle.samples import SIZE_WH, declared, flat_outputs, mapless, random_inputs, rename_manifest, tree, write, zipped


@pytest.mark.parametrize("name", ["front", "front.zip"])
def test_everything_written_comes_back(tmp_path: Path, name: str) -> None:
    declaration = declared()
    reference = random_inputs(declared(size_wh=(64, 48)))["image"][0]
    bundle = write(tmp_path / name, model=b"full", model_fp16=b"half", reference=reference, licence="CC BY, ©")
    again = open_bundle(tmp_path / name)
    assert again.name == bundle.name
    assert again.content_hash.startswith(again.name.rpartition("-")[2])
    assert (again.model_bytes(), again.model_bytes("float16")) == (b"full", b"half")
    assert again.model_path("float16").read_bytes() == b"half"
    assert again.licence() == "CC BY, ©"
    np.testing.assert_array_equal(again.reference(), reference)
    inputs, outputs = again.golden()
    assert len(inputs) == len(outputs) == 2
    np.testing.assert_array_equal(inputs[1]["image"], random_inputs(declaration, 1)["image"])
    np.testing.assert_array_equal(outputs[1]["anomaly_map"], flat_outputs(declaration, -2.25)["anomaly_map"])
    for array in (again.reference(), inputs[0]["image"], outputs[0]["anomaly_map"]):
        assert array is not None
        assert not array.flags.writeable


def test_grey_reference_stays_grey(tmp_path: Path) -> None:
    grey = random_inputs(declared())["image"][0, :, :, 0]
    np.testing.assert_array_equal(write(tmp_path / "b", reference=grey).reference(), grey)


def test_optional_parts_are_absent_where_not_given(tmp_path: Path) -> None:
    bundle = write(tmp_path / "b")
    assert bundle.reference() is None
    with pytest.raises(BundleError, match=r"no float16 model: set precision: float32"):
        bundle.model_bytes("float16")
    with pytest.raises(BundleError, match="no float16 model"):
        bundle.model_path("float16")


def test_same_content_same_name_wherever_it_is(tmp_path: Path) -> None:
    names = {write(tmp_path / "a").name, write(tmp_path / "b").name, write(tmp_path / "c.zip").name}
    assert len(names) == 1
    assert write(tmp_path / "d", model=b"other").name not in names


def test_all_tensors_of_the_contract_have_golden_vectors(tmp_path: Path) -> None:
    declaration = declared(
        inputs=contract(SIZE_WH, ["image", "reference", "keep"]),
        outputs=contract(SIZE_WH, ["anomaly_map", "image_score"]),
        masking={"pre": True},
    )
    inputs, outputs = write(tmp_path / "b", declaration).golden()
    assert list(inputs[0]) == ["image", "reference", "keep"]
    assert outputs[1]["image_score"].tolist() == [-2.25]


def test_writing_replaces_a_bundle_and_leaves_nothing_else(tmp_path: Path) -> None:
    for name in ("b", "b.zip"):
        write(tmp_path / name, reference=np.zeros((4, 4), np.uint8))
        newer = write(tmp_path / name, model=b"newer")
        assert open_bundle(tmp_path / name).name == newer.name
        assert newer.reference() is None
    (tmp_path / "empty").mkdir()
    write(tmp_path / "empty")
    assert sorted(os.listdir(tmp_path)) == ["b", "b.zip", "empty"]


def test_writing_makes_missing_parents(tmp_path: Path) -> None:
    assert write(tmp_path / "deep" / "er" / "b").model_path().is_file()


@pytest.mark.parametrize("name", ["holiday", "notes.zip", "browser.zip", "file", "link", "link.zip"])
def test_writing_never_replaces_what_is_no_bundle(tmp_path: Path, name: str) -> None:
    write(tmp_path / "real")
    (tmp_path / "holiday").mkdir()
    (tmp_path / "holiday" / "photo.jpg").write_bytes(b"dear")
    (tmp_path / "holiday" / "manifest.json").write_bytes(b"{}")
    for file in ("notes.zip", "file"):
        (tmp_path / file).write_bytes(b"dear")
    with zipfile.ZipFile(tmp_path / "browser.zip", "w") as extension:
        extension.writestr("manifest.json", b"{}")
        extension.writestr("background.js", b"")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    (tmp_path / "link.zip").symlink_to(tmp_path / "file")
    before = tree(tmp_path)
    with pytest.raises(BundleError, match="is there already and is no bundle"):
        write(tmp_path / name)
    assert tree(tmp_path) == before


def test_failed_write_leaves_the_old_bundle(tmp_path: Path) -> None:
    old = write(tmp_path / "b")
    wrong = flat_outputs(declared())
    wrong["anomaly_map"] = wrong["anomaly_map"][:, 1:]
    for changes, named in (
        ({"golden_outputs": [wrong, wrong]}, "anomaly_map` is float32"),
        ({"golden_outputs": [flat_outputs(declared(), np.nan)] * 2}, "NaN"),
        ({"golden_outputs": [flat_outputs(declared())]}, "2 golden inputs and 1 golden outputs"),
        ({"golden_inputs": [], "golden_outputs": []}, "0 golden inputs"),
        ({"golden_inputs": [{}, {}]}, "golden vector 0 has"),
        ({"model": b""}, "empty"),
        ({"reference": np.zeros((4, 4, 4), np.uint8)}, "uint8 HxW or HxWx3"),
        ({"reference": np.zeros((4, 4), np.float32)}, "float32"),
    ):
        with pytest.raises(BundleError, match=named):
            write(tmp_path / "b", **changes)
    assert open_bundle(tmp_path / "b").name == old.name
    assert os.listdir(tmp_path) == ["b"]


def test_writing_where_nothing_can_be_written_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(BundleError, match="cannot be written"):
        write(tmp_path / "file" / "b")


def test_unpacked_zip_lives_as_long_as_its_bundle(tmp_path: Path) -> None:
    write(tmp_path / "b.zip")
    bundle = open_bundle(tmp_path / "b.zip")
    folder = bundle.path
    assert folder.is_dir()
    del bundle
    gc.collect()
    assert not folder.exists()
    assert not folder.parent.exists()


def test_cache_holds_each_bundle_once_by_name(tmp_path: Path) -> None:
    write(tmp_path / "b.zip")
    first, second = (open_bundle(tmp_path / "b.zip", tmp_path / "cache") for _ in range(2))
    assert first.path == second.path == tmp_path / "cache" / first.name
    assert os.listdir(tmp_path / "cache") == [first.name]


def test_damaged_cache_entry_is_replaced(tmp_path: Path) -> None:
    name = write(tmp_path / "b.zip").name
    folder = open_bundle(tmp_path / "b.zip", tmp_path / "cache").path
    (folder / "model.onnx").write_bytes(b"rot")
    assert open_bundle(tmp_path / "b.zip", tmp_path / "cache").model_bytes() == b"not looked into by the bundle"
    assert os.listdir(tmp_path / "cache") == [name]


def test_another_bundle_under_the_same_name_in_the_cache_is_replaced(tmp_path: Path) -> None:
    wanted = write(tmp_path / "b.zip")
    write(tmp_path / "cache" / wanted.name, model=b"someone else's")
    assert open_bundle(tmp_path / "b.zip", tmp_path / "cache").content_hash == wanted.content_hash


def test_many_open_one_zip_at_once(tmp_path: Path) -> None:
    name = write(tmp_path / "b.zip").name
    with ThreadPoolExecutor(8) as pool:
        opened = list(pool.map(lambda _: open_bundle(tmp_path / "b.zip", tmp_path / "cache"), range(16)))
    assert {bundle.model_bytes() for bundle in opened} == {b"not looked into by the bundle"}
    assert os.listdir(tmp_path / "cache") == [name]


def test_cache_that_cannot_be_made_is_an_error(tmp_path: Path) -> None:
    write(tmp_path / "b.zip")
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(BundleError, match="check space and permissions"):
        open_bundle(tmp_path / "b.zip", tmp_path / "file")


def test_what_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r"nowhere: no such bundle: name a bundle's folder or its \.zip"):
        open_bundle(tmp_path / "nowhere")


@pytest.mark.parametrize("name", ["model.onnx", "golden.npz", "LICENSE", "reference.png"])
def test_one_changed_byte_is_found(tmp_path: Path, name: str) -> None:
    folder = write(tmp_path / "b", reference=np.zeros((4, 4), np.uint8)).path
    data = bytearray((folder / name).read_bytes())
    data[len(data) // 2] ^= 1
    (folder / name).write_bytes(data)
    with pytest.raises(BundleError, match=f"{name}: is damaged or was replaced"):
        open_bundle(folder)


@pytest.mark.parametrize("name", ["manifest.json", "model.onnx", "golden.npz", "LICENSE", "reference.png"])
def test_missing_file_is_named(tmp_path: Path, name: str) -> None:
    folder = write(tmp_path / "b", reference=np.zeros((4, 4), np.uint8)).path
    (folder / name).unlink()
    with pytest.raises(BundleError, match=name):
        open_bundle(folder)


def test_stranger_in_the_folder_is_named(tmp_path: Path) -> None:
    folder = write(tmp_path / "b").path
    (folder / "run.sh").write_bytes(b"")
    with pytest.raises(BundleError, match=r"'run.sh', which is no part of a bundle"):
        open_bundle(folder)


def test_known_file_that_the_manifest_does_not_name_is_refused(tmp_path: Path) -> None:
    folder = write(tmp_path / "b").path
    (folder / "model.fp16.onnx").write_bytes(b"slipped in")
    with pytest.raises(BundleError, match=r"disagree about 'model\.fp16\.onnx'"):
        open_bundle(folder)


def test_links_and_devices_are_refused(tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(b"not looked into by the bundle")
    folder = write(tmp_path / "b").path
    model = folder / "model.onnx"
    model.unlink()
    for make in (lambda: model.symlink_to(tmp_path / "secret"), lambda: os.mkfifo(model), model.mkdir):
        make()
        with pytest.raises(BundleError, match=r"'model\.onnx' is a link, a folder or a device"):
            open_bundle(folder)
        model.rmdir() if model.is_dir() else model.unlink()


def test_link_swapped_in_after_opening_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(b"secret")
    bundle = write(tmp_path / "b")
    bundle.model_path().unlink()
    bundle.model_path().symlink_to(tmp_path / "secret")
    with pytest.raises(BundleError, match="cannot be read"):
        bundle.model_bytes()


def test_file_swapped_after_opening_is_found_when_read(tmp_path: Path) -> None:
    bundle = write(tmp_path / "b", reference=np.zeros((4, 4), np.uint8))
    for name, read in (("model.onnx", bundle.model_bytes), ("golden.npz", bundle.golden), ("reference.png", bundle.reference)):
        (bundle.path / name).write_bytes(b"swapped")
        with pytest.raises(BundleError, match=f"{name}: is damaged or was replaced"):
            read()


def test_oversized_file_is_refused_before_it_is_read(tmp_path: Path) -> None:
    folder = write(tmp_path / "b").path
    with (folder / "model.onnx").open("r+b") as stream:
        stream.truncate(3 << 30)
    with pytest.raises(BundleError, match=r"model\.onnx: 3221225472 bytes is too large"):
        open_bundle(folder)


def test_manifest_that_names_itself_or_a_path_is_refused(tmp_path: Path) -> None:
    folder = write(tmp_path / "b").path
    files = json.loads((folder / "manifest.json").read_text())["files"]
    for odd in ("manifest.json", "../secret", "/etc/passwd", "sub/model.onnx"):
        rename_manifest(folder, files={**files, odd: "0" * 64})
        with pytest.raises(BundleError, match="disagree"):
            open_bundle(folder)


@pytest.mark.parametrize(("name", "named"), [("golden.npz", "is no readable npz"), ("reference.png", "is no PNG")])
def test_forged_content_under_its_right_hash_is_refused_when_opened(tmp_path: Path, name: str, named: str) -> None:
    folder = write(tmp_path / "b", reference=np.zeros((4, 4), np.uint8)).path
    (folder / name).write_bytes(b"forged")
    files = json.loads((folder / "manifest.json").read_text())["files"]
    rename_manifest(folder, files={**files, name: hashlib.sha256(b"forged").hexdigest()})
    with pytest.raises(BundleError, match=f"{name}: {named}"):
        open_bundle(folder)


def test_tiled_bundle_is_the_whole_images_to_everyone_but_its_graph(tmp_path: Path) -> None:
    bundle = write(tmp_path / "b", declared(tiling=Tiling(size=16, overlap=4)))
    assert bundle.golden()[0][0]["image"].shape == (1, SIZE_WH[1], SIZE_WH[0], 3)
    assert [tensor.shape for tensor in bundle.graphs[0].inputs] == [(1, 16, 16, 3)]


LOOP = DenoisingLoop.seeded(SIZE_WH, timesteps=(20, 10, 0), start=30, weight=1.5)


def test_a_loop_has_two_graphs_in_four_files(tmp_path: Path) -> None:
    declaration = declared(program=LOOP, inputs=contract(SIZE_WH, ["image", "keep"]), masking={"pre": True})
    bundle = write(tmp_path / "b", declaration, model_fp16=b"h16", step=b"s32", step_fp16=b"s16")
    assert [graph.name for graph in bundle.graphs] == ["step", "model"]
    step, head = bundle.graphs
    assert [str(each) for each in step.inputs[-2:]] == ["t: float32 [1]", "coef: float32 [6]"]
    assert [each.name for each in head.inputs] == ["image", "keep", "reconstruction"]
    assert bundle.model_bytes("float32", "step") == b"s32"
    assert bundle.model_bytes("float16", "step") == b"s16"
    assert bundle.model_bytes("float16") == b"h16"
    assert open_bundle(bundle.path).manifest.program == LOOP


@pytest.mark.parametrize(
    ("declaration", "models", "named"),
    [
        (declared(program=LOOP), {}, "needs step.onnx"),
        (declared(program=LOOP), {"step": b"s", "step_fp16": b"s"}, "needs model.fp16.onnx"),
        (declared(program=LOOP), {"step": b"s", "model_fp16": b"s"}, "needs step.fp16.onnx"),
        (declared(), {"step": b"s"}, "has step.onnx, which its program does not use"),
        (declared(program=LOOP), {"step": b""}, "the model is empty"),
    ],
)
def test_graphs_that_are_not_the_programs_are_refused(
    tmp_path: Path, declaration: Declaration, models: dict[str, bytes], named: str
) -> None:
    with pytest.raises(BundleError, match=named):
        write(tmp_path / "b", declaration, **models)
    assert os.listdir(tmp_path) == []


def test_names_of_bundles_from_before_programs_and_tiles_are_as_they_were() -> None:
    files = {"LICENSE": "1" * 64, "golden.npz": "2" * 64, "model.onnx": "3" * 64}
    scored = declared(
        inputs=contract(SIZE_WH, ["image", "keep"]),
        outputs=contract(SIZE_WH, ["anomaly_map", "image_score"]),
        masking={"pre": True},
        score={"kind": "graph"},
    )
    names = [Manifest.of(each, files).name for each in (declared(), scored)]
    assert names == ["variation-b8ea0a180c7d", "variation-c160856a2007"]  # as the first version wrote them


def test_a_bundle_without_a_map_opens(tmp_path: Path) -> None:
    bundle = write(tmp_path / "b", mapless(masking={"post": False, "fill": "reference"}))
    assert not bundle.manifest.has_map
    assert bundle.manifest.masking.fill == "reference"


def test_zip_of_the_whole_folder_opens_too(tmp_path: Path) -> None:
    bundle = write(tmp_path / "b")
    assert open_bundle(zipped(bundle.path, tmp_path / "b.zip", prefix="b/", extra={"b/": b""})).name == bundle.name
