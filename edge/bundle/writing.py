"""Writing a bundle: whole or not at all, and never over something that is not one."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
import zipfile
from collections.abc import Sequence
from pathlib import Path

from edge.bundle import archive, files
from edge.bundle.golden import Tensors, pack_golden
from edge.bundle.image import encode_png
from edge.bundle.manifest import Declaration, Manifest
from edge.bundle.reading import Bundle, open_bundle
from edge.durable import sync, write_file
from edge.errors import BundleError
from edge.types import ImageU8


def write_bundle(
    out: Path,
    declaration: Declaration,
    *,
    model: bytes,
    golden_inputs: Sequence[Tensors],
    golden_outputs: Sequence[Tensors],
    licence: str,
    model_fp16: bytes | None = None,
    step: bytes | None = None,
    step_fp16: bytes | None = None,
    reference: ImageU8 | None = None,
) -> Bundle:
    """Write a bundle to the folder `out`, or to a zip where `out` ends in `.zip`, and open what was written.

    An older bundle there is replaced; anything else there is left alone and refused. golden_outputs: float32 outputs of
    the float32 graphs for golden_inputs. step: the step graph of a denoising loop, whose head is `model`. BundleError:
    arrays or graphs that are not the declaration's, or a place that cannot be written; then `out` is as it was.
    """
    models = {files.MODEL: model, files.MODEL_FP16: model_fp16, files.STEP: step, files.STEP_FP16: step_fp16}
    contents = {name: data for name, data in models.items() if data is not None}
    if not model or b"" in contents.values():
        raise BundleError("the model is empty", where=str(out), remedy="give the bytes of an ONNX file")
    contents[files.GOLDEN] = pack_golden(declaration, golden_inputs, golden_outputs)
    contents[files.LICENCE] = licence.encode()
    if reference is not None:
        contents[files.REFERENCE] = encode_png(reference)
    manifest = Manifest.of(declaration, {name: hashlib.sha256(data).hexdigest() for name, data in contents.items()})
    contents[files.MANIFEST] = manifest.to_json()
    _refuse_strangers(out)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        scratch = Path(tempfile.mkdtemp(prefix=f".{out.name}.", suffix=".tmp", dir=out.parent))
        try:
            _place(out, scratch, contents)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
    except OSError as error:
        raise BundleError(f"cannot be written ({error.strerror})", where=str(out), remedy="check space and rights") from None
    return open_bundle(out)


def _place(out: Path, scratch: Path, contents: dict[str, bytes]) -> None:
    folder = scratch / "new"
    folder.mkdir()
    for name, data in contents.items():
        write_file(folder / name, data, exclusive=True)
    # Proven before it replaces anything.
    open_bundle(folder)
    if out.suffix.lower() == ".zip":
        packed = scratch / "new.zip"
        # Stored: weights hardly shrink, and the rest is packed already.
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_STORED) as target:
            for name in contents:
                target.write(folder / name, name)
        sync(packed)
        os.replace(packed, out)
    else:
        _replace_folder(out, folder, scratch / "old")
    sync(out.parent)


def _replace_folder(out: Path, new: Path, old: Path) -> None:
    if not out.exists():
        os.rename(new, out)
        return
    os.rename(out, old)
    try:
        os.rename(new, out)
    except OSError:
        os.rename(old, out)
        raise


def _refuse_strangers(out: Path) -> None:
    """BundleError if `out` is there and is neither a bundle nor an empty folder."""
    if not (out.exists() or out.is_symlink()):
        return
    if out.is_symlink():
        replaceable = False
    elif out.suffix.lower() == ".zip":
        replaceable = out.is_file() and archive.looks_like_bundle(out)
    elif out.is_dir():
        names = set(os.listdir(out))
        replaceable = not names or (files.MANIFEST in names and names <= set(files.MAX_BYTES))
    else:
        replaceable = False
    if not replaceable:
        raise BundleError("is there already and is no bundle", where=str(out), remedy="choose another place or remove it")
