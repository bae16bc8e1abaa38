"""All evidence of a batch in one zip that can be checked anywhere: `sha256sum -c SHA256SUMS`, or `lineclear archive verify`.

The same batch gives the same bytes: no time of export, entries sorted, nothing compressed again.
"""

from __future__ import annotations

import hashlib
import json
import os
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Final

from edge.archive.evidence import ArchiveError, Entry
from edge.archive.packing import moment_of
from edge.archive.reader import ArchiveReader
from edge.archive.verifying import Finding, Progress, silent
from edge.durable import replacing

SCHEMA: Final = "lineclear/archive-export/1"
MANIFEST: Final = "manifest.json"
SUMS: Final = "SHA256SUMS"
_TIME: Final = (1980, 1, 1, 0, 0, 0)
_PIECE_BYTES: Final = 1 << 20
_MAX_MANIFEST_BYTES: Final = 1 << 28

# What a zip that is none, or was touched, makes the library raise.
_NO_EVIDENCE = (
    OSError, zipfile.BadZipFile, ValueError, KeyError, TypeError, AttributeError, RuntimeError, EOFError, zlib.error,
)  # fmt: skip


@dataclass(frozen=True)
class Exported:
    """What an export holds. manifest_sha256: of the zip's manifest.json, for the audit log or a signature.

    findings: evidence that is gone or was changed; the manifest lists it too.
    """

    path: Path
    results: int
    files: int
    size_bytes: int
    manifest_sha256: str
    findings: tuple[Finding, ...]


def batch_entries(reader: ArchiveReader, batch: str) -> list[Entry]:
    """All results of a batch, oldest first: those that name it, and the verdicts of clearances that do."""
    found = {entry.result_id: entry for entry in reader.find(batch=batch)}
    for clearance_id in sorted({entry.clearance_id for entry in found.values() if entry.clearance_id is not None}):
        found |= {entry.result_id: entry for entry in reader.find(clearance_id=clearance_id)}
    for entry in [entry for entry in found.values() if entry.kind == "clearance"]:
        found |= {verdict.result_id: verdict for verdict in reader.find(clearance_id=entry.result_id)}
    return sorted(found.values(), key=lambda entry: (entry.decided_at, entry.result_id))


def export_batch(
    reader: ArchiveReader,
    batch: str,
    out_zip: Path,
    *,
    extra_files: Mapping[str, bytes] | None = None,
    progress: Progress = silent,
) -> Exported:
    """Write the zip, whole or not at all; one that is there is replaced. extra_files: name in the zip -> bytes, a report say.

    ArchiveError: nothing is known of the batch, a name in extra_files is unsafe, or the place cannot be written.
    """
    entries = batch_entries(reader, batch)
    gone = {"missing": _told(reader.missing(batch)), "purged": _told(reader.purged(batch))}
    if not entries and not any(gone.values()):
        remedy = "ask `lineclear archive list` for the batches that there are"
        raise ArchiveError(f"has no evidence of batch {batch[:80]!r}", where=str(reader.folder), remedy=remedy)
    extra = dict(sorted((extra_files or {}).items()))
    _refuse_unsafe(extra)
    try:
        with replacing(out_zip) as stream:
            summary = _write(stream, reader, batch, entries, gone, extra, progress)
        size_bytes = out_zip.stat().st_size
    except OSError as error:
        remedy = "check space and rights of the folder it goes to; nothing was written"
        raise ArchiveError(f"cannot be written ({error.strerror})", where=str(out_zip), remedy=remedy) from None
    files, manifest_sha256, findings = summary
    return Exported(out_zip, len(entries), files, size_bytes, manifest_sha256, findings)


def verify_export(path: Path) -> list[Finding]:
    """What in a zip of `export_batch` is not as its manifest says. Raises ArchiveError: it is no such zip."""
    try:
        with zipfile.ZipFile(path) as source:
            if source.getinfo(MANIFEST).file_size > _MAX_MANIFEST_BYTES:
                raise ValueError("its manifest is too large")
            manifest = json.loads(source.read(MANIFEST))
            if manifest["schema"] != SCHEMA:
                raise ValueError(f"schema {manifest['schema']!r}")
            said = {str(name): str(file["sha256"]) for name, file in manifest["files"].items()}
            names = source.namelist()
            findings = [
                Finding("changed", name, "", problem)
                for name, sha256 in said.items()
                if (problem := _problem(source, name, sha256))
            ]
            unknown = sorted(set(names) - set(said) - {MANIFEST, SUMS})
            twice = sorted({name for name in names if names.count(name) > 1}) if len(set(names)) < len(names) else []
    except _NO_EVIDENCE as error:
        remedy = "name a file that `lineclear archive export` wrote"
        raise ArchiveError(f"is no export of a batch, or is damaged ({error})", where=str(path), remedy=remedy) from None
    findings += [Finding("unknown", name, "", "is not in the manifest") for name in unknown]
    return findings + [Finding("changed", name, "", "is there twice") for name in twice]


def _write(
    stream: Any, reader: ArchiveReader, batch: str, entries: list[Entry], gone: dict[str, Any], extra: dict[str, bytes],
    progress: Progress,
) -> tuple[int, str, tuple[Finding, ...]]:  # fmt: skip
    """Number of files, hash of the manifest, findings."""
    files: dict[str, dict[str, Any]] = {}
    findings: list[Finding] = []
    results = []
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED) as target:
        for done, entry in enumerate(entries, 1):
            names = {}
            for role, name in sorted(entry.files.items()):
                inside = f"evidence/{entry.folder.relative_to(reader.folder).as_posix()}/{name}"
                problem = _copy(target, entry.folder / name, inside, entry.sha256[role], files)
                if problem:
                    findings.append(Finding("changed", inside, entry.result_id, problem))
                names[role] = inside
            results.append(_result(entry, names))
            progress(done, len(entries), entry.result_id[:80])
        for name, data in extra.items():
            target.writestr(zipfile.ZipInfo(name, _TIME), data)
            files[name] = {"sha256": hashlib.sha256(data).hexdigest(), "size_bytes": len(data)}
        found = [asdict(finding) for finding in findings]
        document = {"schema": SCHEMA, "batch": batch, "results": results, **gone, "findings": found, "files": files}
        manifest = (json.dumps(document, indent=1, sort_keys=True, allow_nan=False) + "\n").encode("ascii")
        sha256 = hashlib.sha256(manifest).hexdigest()
        sums = {**{name: file["sha256"] for name, file in files.items()}, MANIFEST: sha256}
        target.writestr(zipfile.ZipInfo(MANIFEST, _TIME), manifest)
        target.writestr(zipfile.ZipInfo(SUMS, _TIME), "".join(f"{digest}  {name}\n" for name, digest in sums.items()))
    return len(files), sha256, tuple(findings)


def _copy(target: zipfile.ZipFile, path: Path, inside: str, expected: str, files: dict[str, dict[str, Any]]) -> str:
    """Put a file in; what is wrong with it, "" if nothing."""
    digest, size_bytes = hashlib.sha256(), 0
    try:
        with path.open("rb") as source:
            info = zipfile.ZipInfo(inside, _TIME)
            info.file_size = os.fstat(source.fileno()).st_size  # zipfile chooses the large format by it
            with target.open(info, "w") as place:
                while piece := source.read(_PIECE_BYTES):
                    place.write(piece)
                    digest.update(piece)
                    size_bytes += len(piece)
    except FileNotFoundError:
        return "is gone"
    files[inside] = {"sha256": digest.hexdigest(), "size_bytes": size_bytes}
    return "" if digest.hexdigest() == expected else "is not as it was written"


def _result(entry: Entry, names: dict[str, str]) -> dict[str, Any]:
    fields = {name: value for name, value in vars(entry).items() if name not in ("folder", "files", "sha256", "size_bytes")}
    return {**fields, "decided_at": entry.decided_at.isoformat(), "files": names}


def _told(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Times as text, oldest first."""
    told = [
        {**row, "at": moment_of(row["at_us"]).isoformat(), "decided_at": moment_of(row["decided_us"]).isoformat()}
        for row in rows
    ]
    return [{name: value for name, value in row.items() if not name.endswith("_us")} for row in reversed(told)]


def _refuse_unsafe(extra: Mapping[str, bytes]) -> None:
    for name in extra:
        path = PurePosixPath(name)
        is_odd = not name.isprintable() or "\\" in name or ":" in name or str(path) != name or ".." in path.parts
        is_taken = name in (MANIFEST, SUMS) or path.parts[:1] == ("evidence",)
        if is_odd or is_taken or not path.parts or path.is_absolute():
            raise ArchiveError(f"{name[:80]!r} cannot be a file in an export", remedy="give a plain name, such as report.html")


def _problem(source: zipfile.ZipFile, name: str, expected: str) -> str:
    digest = hashlib.sha256()
    try:
        with source.open(name) as file:
            while piece := file.read(_PIECE_BYTES):
                digest.update(piece)
    except KeyError:
        return "is gone"
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        return f"is damaged ({error})"
    return "" if digest.hexdigest() == expected else "is not as it was written"
