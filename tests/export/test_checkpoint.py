from __future__ import annotations

import collections
import io
import pickle
import random
import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from edge.errors import BundleError
from export.checkpoint import Checkpoint, fill, load_checkpoint
from export.outline import outline

torch.set_num_threads(1)
BOTH_FORMATS = pytest.mark.parametrize("is_zip", [True, False], ids=["zip", "old"])


def _net(seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Conv2d(4, 2, 1))


def _saved(content: object, path: Path, is_zip: bool = True) -> Path:
    torch.save(content, path, _use_new_zipfile_serialization=is_zip)
    return path


def _repacked(path: Path, out: Path, change: dict[str, bytes], drop: str = "\0", **options: object) -> Path:
    """A zip with valid checksums, whatever is in it: what a forger would write."""
    with zipfile.ZipFile(path) as source, zipfile.ZipFile(out, "w", **options) as target:  # type: ignore[call-overload]
        for info in source.infolist():
            short = info.filename.partition("/")[2]
            if not short.startswith(drop):
                target.writestr(info.filename, change.get(short, source.read(info)))
    return out


def _index(path: Path) -> bytes:
    with zipfile.ZipFile(path) as archive:
        return archive.read(next(name for name in archive.namelist() if name.endswith("/data.pkl")))


def _refused(path: Path, **options: object) -> str:
    with pytest.raises(BundleError) as refused:
        load_checkpoint(path, **options)  # type: ignore[arg-type]
    assert str(path) in str(refused.value)
    assert refused.value.remedy
    assert str(refused.value).count("\n") == 0
    return str(refused.value)


@BOTH_FORMATS
def test_every_tensor_is_what_torch_reads(tmp_path: Path, is_zip: bool) -> None:
    state = {
        "float": torch.randn(3, 4),
        "half": torch.randn(5).half(),
        "brain": torch.randn(5).bfloat16(),
        "double": torch.randn(2, 1, 3).double(),
        "counts": torch.arange(7),
        "bytes": torch.arange(9, dtype=torch.uint8),
        "flags": torch.tensor([True, False]),
        "scalar": torch.tensor(3),
        "turned": torch.randn(4, 6).t(),
        "part": torch.randn(10)[3:8:2],
        "empty": torch.empty(0, 3),
        "parameter": nn.Parameter(torch.randn(2)),
    }
    path = _saved(state, tmp_path / "a.pth", is_zip)
    expected = torch.load(path, weights_only=True)
    loaded = load_checkpoint(path)
    assert list(loaded.state) == list(expected)
    for name, tensor in expected.items():
        assert loaded.state[name].dtype == tensor.dtype
        assert torch.equal(loaded.state[name], tensor)


@BOTH_FORMATS
def test_a_network_comes_back(tmp_path: Path, is_zip: bool) -> None:
    net, other = _net(1), _net(2)
    path = _saved(net.state_dict(), tmp_path / "a.pth", is_zip)
    fill(other, load_checkpoint(path))
    image = torch.rand(1, 3, 8, 8)
    assert torch.equal(net.eval()(image), other(image))
    assert not other.training
    assert not any(parameter.requires_grad for parameter in other.parameters())


def test_what_lies_beside_the_weights_is_kept(tmp_path: Path) -> None:
    state = {f"module.{name}": tensor for name, tensor in _net().state_dict().items()}
    path = _saved({"model": state, "epoch": 3, "best": 0.5, "note": "x"}, tmp_path / "a.pth")
    checkpoint = load_checkpoint(path, inner="model")
    assert checkpoint.extra == {"epoch": 3, "best": 0.5, "note": "x"}
    assert "0.weight" in checkpoint.state
    assert len(checkpoint.sha256) == 64


def test_a_prefix_is_removed_only_where_all_have_it(tmp_path: Path) -> None:
    path = _saved({"module.a": torch.zeros(1), "b": torch.zeros(1)}, tmp_path / "a.pth")
    assert set(load_checkpoint(path).state) == {"module.a", "b"}


def test_a_family_may_allow_more_globals(tmp_path: Path) -> None:
    path = _saved({"a": torch.zeros(1), "best": np.float64(0.75)}, tmp_path / "a.pth")
    said = _refused(path)
    assert "multiarray.scalar" in said
    scalar = np._core.multiarray.scalar  # type: ignore[attr-defined]
    encode = __import__("_codecs").encode
    allow = [
        (scalar, "numpy.core.multiarray.scalar"),
        (scalar, "numpy._core.multiarray.scalar"),
        np.dtype,
        (encode, "_codecs.encode"),
    ]
    assert load_checkpoint(path, allow=allow).extra == {"best": 0.75}


class _Bomb:
    def __reduce__(self) -> tuple[object, ...]:
        return (Path.touch, (Path("bomb-went-off"),))


@BOTH_FORMATS
def test_no_code_is_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_zip: bool) -> None:
    monkeypatch.chdir(tmp_path)
    path = _saved({"a": torch.zeros(1), "b": _Bomb()}, tmp_path / "a.pth", is_zip)
    assert "pathlib" in _refused(path)
    assert not (tmp_path / "bomb-went-off").exists()
    torch.load(path, weights_only=False)
    assert (tmp_path / "bomb-went-off").exists(), "the bomb of this test is a dud"


def test_a_whole_module_is_refused_with_what_it_asks_for(tmp_path: Path) -> None:
    said = _refused(_saved(_net(), tmp_path / "a.pth"))
    assert "torch.nn.modules" in said
    assert "state_dict" in said


def test_a_plain_pickle_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.pkl"
    path.write_bytes(pickle.dumps({"a": 1}))
    assert "plain Python pickle" in _refused(path)


@pytest.mark.parametrize("is_zip", [True, False])
@pytest.mark.parametrize("share", [0.0, 0.001, 0.02, 0.5, 0.9, 0.999])
def test_truncated(tmp_path: Path, is_zip: bool, share: float) -> None:
    path = _saved(_net().state_dict(), tmp_path / "a.pth", is_zip)
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    said = _refused(path)
    assert any(word in said for word in ("truncated", "empty", "damaged", "ends within", "no checkpoint")), said


@pytest.mark.parametrize(
    ("head", "word"),
    [
        (b"\x89HDF\r\n\x1a\n" + bytes(99), "HDF5"),
        (b"ftrt" + bytes(99), "TensorRT engine"),
        (struct.pack("<Q", 20) + b'{"a":{}}' + bytes(99), "safetensors"),
        (b"<!DOCTYPE html>", "web page"),
        (b"\x1f\x8b\x08" + bytes(99), "gzip"),
        (b"version https://git-lfs.github.com/spec/v1", "Git LFS"),
        (b"nothing in particular", "no checkpoint"),
    ],
)
def test_other_files_are_called_by_name(tmp_path: Path, head: bytes, word: str) -> None:
    path = tmp_path / "a.bin"
    path.write_bytes(head)
    assert word in _refused(path)


def test_an_encrypted_tao_model(tmp_path: Path) -> None:
    path = tmp_path / "model.etlt"
    path.write_bytes(bytes(range(256)))
    assert "TAO" in _refused(path)


def test_places_that_hold_no_file(tmp_path: Path) -> None:
    assert "No such file" in _refused(tmp_path / "none.pth")
    assert "is a folder" in _refused(tmp_path)
    assert "is no file" in _refused(Path("/dev/null"))


def test_a_state_dict_is_needed(tmp_path: Path) -> None:
    assert "a single tensor" in _refused(_saved(torch.zeros(3), tmp_path / "a.pth"))
    assert "a list" in _refused(_saved([torch.zeros(3)], tmp_path / "b.pth"))
    assert "no tensors" in _refused(_saved({"epoch": 3}, tmp_path / "c.pth"))
    nested = _saved({"net": {"a": torch.zeros(1)}, "epoch": 3}, tmp_path / "d.pth")
    assert "they lie under net" in _refused(nested)
    assert "has no 'model': it has net, epoch" in _refused(nested, inner="model")


def test_more_bytes_stated_than_there_are(tmp_path: Path) -> None:
    path = _saved({"a": torch.zeros(300)}, tmp_path / "a.pth")
    index = _index(path)
    assert index.count(b"M,\x01") == 2  # 300, as the storage's elements and the tensor's size
    forged = _repacked(path, tmp_path / "b.pth", {"data.pkl": index.replace(b"M,\x01", b"M\xff\xff")})
    assert "states 262140 bytes for a tensor and holds 1200" in _refused(forged)
    view = _repacked(path, tmp_path / "c.pth", {"data.pkl": index[::-1].replace(b"\x01,M", b"\xff\xffM", 1)[::-1]})
    assert "larger than its storage" in _refused(view)


def test_missing_numbers(tmp_path: Path) -> None:
    path = _saved(_net().state_dict(), tmp_path / "a.pth")
    assert "missing" in _refused(_repacked(path, tmp_path / "b.pth", {}, drop="data/"))


def test_a_packed_zip_is_not_unpacked(tmp_path: Path) -> None:
    path = _saved({"a": torch.zeros(1 << 16)}, tmp_path / "a.pth")
    packed = _repacked(path, tmp_path / "b.pth", {}, compression=zipfile.ZIP_DEFLATED)
    assert "packed" in _refused(packed)


def test_other_zips(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("readme.txt", "x")
    assert "no data.pkl" in _refused(path)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("net/data.pkl", b"\x80\x02}.")
        archive.writestr("net/constants.pkl", b"\x80\x02).")
    assert "TorchScript" in _refused(path)


@pytest.mark.parametrize(
    "index",
    [
        b"",
        b".",
        b"\x80\x02",
        b"\x80\x02N.",
        b"\x80\x02r\xff\xff\xff\x7f.",
        b"\x80\x02Nr\xff\xff\xff\x7f.",
        b"\x80\x02\x8b\xff\xff\xff\x7f.",
        b"\x80\x04\x8c\x02os\x8c\x06system\x93.",
        b"\x80\x05\x96\xff\xff\xff\xff\xff\xff\x00\x00.",
        b"\x80\x02K\x01Q.",
        b"\x80\x02\x82\x01.",
        b"cos\nsystem\n(S'true'\ntR.",
        b"(ios\nsystem\n.",
        b"(" * 100_000,
        b"]" * 50_000 + b"a" * 49_999 + b".",
        b"I" + b"9" * 6000 + b"\n.",
        b"\x80\x02ctorch\nSize\n(K\x01tR.",
        b"\x80\x02ccollections\nOrderedDict\n)R}X\x05\x00\x00\x00itemsK\x01sb.",
    ],
)
def test_hostile_indexes(tmp_path: Path, index: bytes) -> None:
    path = _saved({"a": torch.zeros(3)}, tmp_path / "a.pth")
    _refused(_repacked(path, tmp_path / "b.pth", {"data.pkl": index}))


def test_a_shadowing_attribute_is_dropped(tmp_path: Path) -> None:
    state = collections.OrderedDict(a=torch.zeros(2))
    state.values = "shadow"  # type: ignore[assignment, method-assign]
    path = _saved(state, tmp_path / "a.pth")
    assert list(load_checkpoint(path).state) == ["a"]


@BOTH_FORMATS
def test_mutated_files_give_an_error_or_a_state(tmp_path: Path, is_zip: bool) -> None:
    path = _saved(_net().state_dict(), tmp_path / "a.pth", is_zip)
    whole = path.read_bytes()
    random_ = random.Random(7)
    refused = 0
    for _ in range(300):
        data = bytearray(whole)
        for _ in range(random_.choice((1, 1, 3, 20))):
            data[random_.randrange(len(data))] = random_.randrange(256)
        if random_.random() < 0.2:
            del data[random_.randrange(len(data)) :]
        path.write_bytes(bytes(data))
        try:
            assert isinstance(load_checkpoint(path), Checkpoint)
        except BundleError:
            refused += 1
    assert refused > 100


def test_mutated_indexes_with_valid_checksums(tmp_path: Path) -> None:
    path = _saved(_net().state_dict(), tmp_path / "a.pth")
    whole = _index(path)
    random_ = random.Random(8)
    for round_ in range(300):
        index = bytearray(whole)
        for _ in range(random_.choice((1, 2, 8))):
            index[random_.randrange(len(index))] = random_.choice((0, 1, 46, 66, 75, 82, 98, 255, random_.randrange(256)))
        forged = _repacked(path, tmp_path / f"{round_}.pth", {"data.pkl": bytes(index)})
        try:
            for tensor in load_checkpoint(forged).state.values():
                tensor.double().sum()
        except BundleError:
            pass
        forged.unlink()


def _checkpoint(state: dict[str, torch.Tensor]) -> Checkpoint:
    return Checkpoint(Path("a.pth"), state)


def test_fill_names_what_is_wrong() -> None:
    state = dict(_net().state_dict())
    del state["0.bias"], state["1.running_var"]
    state |= {"head.weight": torch.zeros(1), "2.bias": torch.zeros(5)}
    with pytest.raises(BundleError) as refused:
        fill(_net(), _checkpoint(state))
    said = str(refused.value)
    assert "2 tensors are missing: 0.bias, 1.running_var" in said
    assert "1 tensors are unknown: head.weight" in said
    assert "2.bias [5] instead of [2]" in said


def test_fill_shows_three_of_many() -> None:
    with pytest.raises(BundleError, match=r"8 tensors are missing: 0.weight, 0.bias, 1.weight, \.\.\."):
        fill(_net(), _checkpoint({}))


def test_what_may_be_left_over() -> None:
    state = {**_net().state_dict(), "head.fc.weight": torch.zeros(1)}
    del state["1.num_batches_tracked"]
    fill(_net(), _checkpoint(state), unused=["head.fc.*"])


def test_weights_that_are_no_numbers() -> None:
    state = dict(_net().state_dict())
    state["2.weight"] = torch.full_like(state["2.weight"], torch.nan)
    with pytest.raises(BundleError, match=r"NaN, infinite\) in 2.weight"):
        fill(_net(), _checkpoint(state))


@BOTH_FORMATS
def test_an_outline_needs_no_numbers(tmp_path: Path, is_zip: bool) -> None:
    state = {f"module.model.{name}": tensor for name, tensor in _net().state_dict().items()}
    path = _saved({"first": {"x": torch.zeros(1)}, "net": state}, tmp_path / "a.pth", is_zip)
    found = outline(path)
    assert (found.inner, found.others) == ("net", ("first",))
    assert found.shapes["0.weight"] == (4, 3, 3, 3)
    assert found.dtypes["1.num_batches_tracked"] == "int64"
    assert found.elements == sum(tensor.numel() for tensor in state.values())
    assert found.sha256 == load_checkpoint(path, inner="net").sha256


def test_an_outline_does_not_mind_a_number_of_numpys(tmp_path: Path) -> None:
    path = _saved({"net": {"a": torch.zeros(1)}, "best": np.float64(0.75)}, tmp_path / "a.pth")
    assert outline(path).shapes == {"a": (1,)}


def test_an_old_file_that_states_more_than_it_holds(tmp_path: Path) -> None:
    path = _saved({"a": torch.zeros(300)}, tmp_path / "a.pth", is_zip=False)
    data = path.read_bytes()
    assert data.count(struct.pack("<q", 300)) == 1
    for forged in (1 << 40, -300, 301, 299):
        path.write_bytes(data.replace(struct.pack("<q", 300), struct.pack("<q", forged)))
        assert any(word in _refused(path) for word in ("truncated", "states 1200 bytes"))


def test_a_tensor_whose_checksum_does_not_fit(tmp_path: Path) -> None:
    path = _saved({"a": torch.full((300,), 7.0)}, tmp_path / "a.pth")
    data = path.read_bytes()
    number = struct.pack("<f", 7.0)
    path.write_bytes(data.replace(number * 4, number * 3 + bytes(4), 1))
    assert "checksum" in _refused(path)


def test_the_old_format_in_one_stream(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    torch.save(_net().state_dict(), buffer, _use_new_zipfile_serialization=False)
    path = tmp_path / "a.pth"
    path.write_bytes(buffer.getvalue()[:-8])
    assert "truncated" in _refused(path)
