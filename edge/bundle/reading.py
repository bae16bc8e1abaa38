"""Opening a bundle: nothing in it is used before it is proven to be what its manifest says."""

from __future__ import annotations

import os
import shutil
import tempfile
import weakref
from dataclasses import dataclass
from pathlib import Path

from edge.bundle import archive, files
from edge.bundle.golden import Tensors, unpack_golden
from edge.bundle.graphs import GraphName, GraphSpec, graphs
from edge.bundle.image import decode_png
from edge.bundle.manifest import Manifest, parse_manifest
from edge.bundle.trust import carry
from edge.errors import BundleError, ConfigError
from edge.settings.engines import Precision
from edge.types import ImageU8


@dataclass(frozen=True, eq=False)
class Bundle:
    """A verified bundle: its folder, manifest and content hash. What it reads later, it verifies again as it reads."""

    path: Path
    manifest: Manifest
    content_hash: str

    @property
    def name(self) -> str:
        """Family and the first 12 hex digits of the content hash."""
        return self.manifest.name

    @property
    def graphs(self) -> tuple[GraphSpec, ...]:
        """The graphs that an engine opens, and what each takes and gives."""
        return graphs(self.manifest)

    def model_path(self, precision: Precision = "float32", graph: GraphName = "model") -> Path:
        """Where a graph's ONNX file of this precision is. BundleError if the bundle has none."""
        return self.path / self._model_file(precision, graph)

    def model_bytes(self, precision: Precision = "float32", graph: GraphName = "model") -> bytes:
        """A graph's ONNX file, verified as it was read: load from these bytes, not from the path."""
        return self._read(self._model_file(precision, graph))

    def golden(self) -> tuple[list[Tensors], list[Tensors]]:
        """Inputs and float32 outputs of every golden vector, read-only arrays by name."""
        return unpack_golden(self.manifest, self._read(files.GOLDEN), str(self.path / files.GOLDEN))

    def reference(self) -> ImageU8 | None:
        """The image whose pixels the model's grid belongs to, for models tied to one pose; read-only, RGB or grey."""
        if files.REFERENCE not in self.manifest.files:
            return None
        return decode_png(self._read(files.REFERENCE), str(self.path / files.REFERENCE))

    def licence(self) -> str:
        """The licence note."""
        return self._read(files.LICENCE).decode("utf-8", "replace")

    def _model_file(self, precision: Precision, graph: GraphName) -> str:
        name = files.GRAPHS[graph][0 if precision == "float32" else 1]
        if name not in self.manifest.files:
            raise BundleError(
                f"bundle {self.name} has no {precision} {graph}", where=str(self.path), remedy="set precision: float32"
            )
        return name

    def _read(self, name: str) -> bytes:
        return files.read_file(self.path, name, self.manifest.files[name])


def open_bundle(path: Path, cache: Path | None = None) -> Bundle:
    """A bundle from its folder, or from a `.zip` of it, verified file by file.

    A zip is unpacked to `cache/NAME` (kept, and shared by everyone who opens the same bundle), without `cache` to a
    private temporary folder that goes with the Bundle. BundleError says which file is wrong and how.
    """
    if os.path.isdir(path):
        return _open_folder(path)
    if os.path.isfile(path):
        return _open_zip(path, cache)
    raise BundleError("no such bundle", where=str(path), remedy="name a bundle's folder or its .zip")


def _open_folder(folder: Path) -> Bundle:
    names = [name for name in files.list_folder(folder) if name != files.SIGNATURES]
    where = str(folder / files.MANIFEST)
    manifest, digest = parse_manifest(files.read_file(folder, files.MANIFEST, None), where)
    listed = sorted({files.MANIFEST, *manifest.files})
    if listed != sorted(names) or files.MANIFEST in manifest.files:
        odd = sorted({*listed} ^ {*names}) or [files.MANIFEST]
        raise BundleError(f"the manifest and the folder disagree about {odd[0]!r}", where=where, remedy="copy it again")
    for name, sha256 in manifest.files.items():
        files.check_hash(folder, name, files.hash_file(folder, name), sha256)
    _check_graphs(manifest, where)
    bundle = Bundle(folder, manifest, digest)
    bundle.golden()
    bundle.reference()
    return bundle


def _check_graphs(manifest: Manifest, where: str) -> None:
    """BundleError unless the bundle holds exactly its program's graphs, and float16 twins of all of them or of none."""
    names = [spec.name for spec in graphs(manifest)]
    single, twins = ({files.GRAPHS[name][half] for name in names} for half in (0, 1))
    held = {name for pair in files.GRAPHS.values() for name in pair} & set(manifest.files)
    wanted = single | twins if held & twins else single
    if held != wanted:
        odd = min(held ^ wanted)
        fault = f"has {odd}, which its program does not use" if odd in held else f"its program needs {odd}"
        raise BundleError(fault, where=where, remedy="copy the whole bundle again, or export it again")


def _open_zip(path: Path, cache: Path | None) -> Bundle:
    try:
        if cache is not None:
            cache.mkdir(parents=True, exist_ok=True)
        scratch = Path(tempfile.mkdtemp(prefix=".lineclear-bundle-", dir=cache))
        # The scratch folder is the owner's alone; what stays in the cache has the rights of everything else there.
        folder = scratch / "bundle"
        folder.mkdir()
    except OSError as error:
        raise BundleError(
            f"cannot be unpacked to {cache or tempfile.gettempdir()} ({error.strerror})",
            where=str(path),
            remedy="check space and permissions there",
        ) from None
    kept = False
    try:
        archive.extract(path, folder)
        bundle = _open_folder(folder)
        if cache is None:
            weakref.finalize(bundle, shutil.rmtree, scratch, ignore_errors=True)
            kept = True
            return bundle
        return _move(bundle, cache / bundle.name)
    finally:
        if not kept:
            shutil.rmtree(scratch, ignore_errors=True)


def _move(bundle: Bundle, target: Path) -> Bundle:
    """Rename into the cache; what already stands there under this name is used if it is sound and the same, else replaced."""
    for _ in range(3):
        try:
            os.rename(bundle.path, target)
            return Bundle(target, bundle.manifest, bundle.content_hash)
        except OSError:
            try:
                standing = _open_folder(target)
                if standing.content_hash == bundle.content_hash:
                    carry(bundle.path, target)
                    return standing
            except (BundleError, ConfigError):
                pass
            shutil.rmtree(target, ignore_errors=True)
    raise BundleError("cannot be renamed into the cache", where=str(target), remedy="remove this folder, check permissions")
