"""Bundles that somebody brought to the page: verified, kept below `state_dir/page/bundles` under their own name."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from calibration.web.recipes.listing import trust_of
from calibration.web.site import Site
from edge.audit import Action
from edge.bundle import Bundle, open_bundle
from edge.errors import BundleError, ConfigError

FOLDER: Final = "bundles"
MOST: Final = 50


@dataclass(frozen=True)
class BundleInfo:
    """One bundle. problem: why this station would not use it, "" if nothing speaks against it."""

    name: str
    family: str
    content_hash: str
    path: Path
    size_wh: tuple[int, int]
    size_bytes: int
    problem: str = ""


def bundles_of(site: Site) -> tuple[BundleInfo, ...]:
    """Those that were brought here, by name; what is damaged is in the list and says so."""
    folder = site.folder / FOLDER
    if not folder.is_dir():
        return ()
    found = []
    for path in sorted(folder.iterdir()):
        if path.name.startswith(".") or not path.is_dir():
            continue
        try:
            found.append(_info(site, open_bundle(path)))
        except BundleError as error:
            found.append(BundleInfo(path.name, "", "", path, (0, 0), 0, error.message))
    return tuple(found)


def take_bundle(site: Site, file: Path, *, who: str) -> BundleInfo:
    """Verify a `.zip` file by file, and keep it. The audit log is told before it stays. BundleError: it must not be used."""
    if len(bundles_of(site)) >= MOST:
        raise BundleError(f"there are {MOST} bundles already", where="page", remedy="remove one that nobody needs")
    probe = open_bundle(file)
    info = _info(site, probe)
    if info.problem:
        raise BundleError(info.problem, where=probe.name, remedy="sign it where it was made: lineclear trust sign")
    after = {"bundle": probe.name, "content_hash": probe.content_hash, "family": probe.manifest.family}
    site.audit.append(Action.BUNDLE, who=who, subject=probe.name, why="brought to the page", before=None, after=after)
    return _info(site, open_bundle(file, site.folder / FOLDER))


def remove_bundle(site: Site, name: str, *, who: str) -> None:
    """One less; recipes have copies of their own. BundleError: there is none of this name."""
    info = next((info for info in bundles_of(site) if info.name == name), None)
    if info is None:
        raise BundleError("there is no such bundle", where=name[:80], remedy="choose one from the list")
    before = {"bundle": info.name, "content_hash": info.content_hash}
    site.audit.append(Action.BUNDLE, who=who, subject=info.name, why="removed from the page", before=before, after=None)
    shutil.rmtree(info.path, ignore_errors=True)


def _info(site: Site, bundle: Bundle) -> BundleInfo:
    size_bytes = sum(file.stat().st_size for file in bundle.path.iterdir())
    manifest = bundle.manifest
    return BundleInfo(
        bundle.name, manifest.family, bundle.content_hash, bundle.path, manifest.size_wh, size_bytes, _problem(site, bundle)
    )


def _problem(site: Site, bundle: Bundle) -> str:
    trust = trust_of(site)
    if trust is None:
        return ""
    try:
        problem = trust.problem("bundle", bundle.content_hash, bundle.path)
    except ConfigError as error:
        return str(error)
    return problem[0] if problem is not None else ""
