"""`lineclear trust keygen`, `sign` and `verify`."""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from pathlib import Path

from edge.bundle import Bundle, open_bundle
from edge.bundle.keys import SignedKind, SigningKey, make_key, read_trusted
from edge.bundle.trust import problem_of, read_signatures, sign
from edge.cli.terminal import complain, one_line, say
from edge.durable import replacing
from edge.errors import ConfigError, LineclearError
from edge.recipe import load_recipe
from edge.recipe.signing import version_digest


def keygen(path: Path, name: str, uses: Sequence[SignedKind]) -> int:
    """Write both files, print the line for the list; 0."""
    made = make_key(path, name, frozenset(uses))
    say(f"{path}: private key {made.key_id}: keep it here, and a copy where it is safe\n{path}.pub: {made.line()}\n")
    return 0


def add_signature(path: Path, key_path: Path, by: str) -> int:
    """Sign what was proven sound just now; 0. LineclearError: it is not, or it cannot be written."""
    key = SigningKey(key_path)
    if _is_recipe(path):
        recipe = load_recipe(path)
        one = sign("recipe", version_digest(recipe.folder), recipe.folder, key, by)
        what = f"version {recipe.version:04d} of the recipe for view {recipe.view}"
    else:
        bundle = open_bundle(path)
        one = sign("bundle", bundle.content_hash, bundle.path, key, by)
        if path.is_file():
            _pack(bundle, path)
        what = f"bundle {bundle.name}"
    say(one_line(f"{path}: {what} signed by {one.by} with key {one.key}") + "\n")
    return 0


def verify(path: Path, trusted: Path) -> int:
    """Say who signed it and whether they are believed; 0 if somebody who is did, else 1."""
    keys = read_trusted(trusted)
    names = {key.key_id: key.name for key in keys}
    kinds: list[tuple[SignedKind, str, Path, str]] = []
    if _is_recipe(path):
        recipe = load_recipe(path)
        kinds.append(("recipe", version_digest(recipe.folder), recipe.folder, f"version {recipe.version:04d}"))
        bundle = recipe.bundle
    else:
        bundle = open_bundle(path)
    kinds.append(("bundle", bundle.content_hash, bundle.path, f"bundle {bundle.name}"))
    is_good = True
    for kind, digest, folder, what in kinds:
        problem = problem_of(kind, digest, folder, keys)
        if problem is not None:
            complain("lineclear", one_line(f"{path}: {what}: {problem[0]}: {problem[1]}"))
            is_good = False
            continue
        for one in read_signatures(folder):
            say(
                one_line(f"{path}: {what}: {one.by}, {one.at:%Y-%m-%d %H:%M}, {names.get(one.key, 'not trusted')} ({one.key})")
                + "\n"
            )
    return 0 if is_good else 1


def _is_recipe(path: Path) -> bool:
    if not path.exists():
        raise ConfigError("no such file or folder", where=str(path), remedy="name a bundle or a recipe")
    return path.is_dir() and not (path / "manifest.json").exists()


def _pack(bundle: Bundle, path: Path) -> None:
    """The zip again, with what lies beside the content."""
    try:
        with replacing(path, mode=path.stat().st_mode & 0o777) as stream, zipfile.ZipFile(stream, "w") as target:
            for file in sorted(bundle.path.iterdir()):
                target.write(file, file.name)
    except OSError as error:
        raise LineclearError(
            f"cannot be written ({error.strerror})", where=str(path), remedy="check space and rights; it is as it was"
        ) from None
