"""The config, what it names, and what `validate` does not see in it."""

from __future__ import annotations

from collections.abc import Iterator

from edge.doctor.check import Case, Check, fail, ok, skip, warn

_MEND = "mend it, then ask again: lineclear validate CONFIG; a station that runs goes on as it is until its next start"


def config(case: Case) -> Iterator[Check]:
    """Every problem of the file and of the files that it names."""
    for problem in case.problems:
        yield fail("config", problem, _MEND)
    if case.config is None:
        if not case.problems:
            yield skip("config", "none was named: lineclear doctor CONFIG looks at a station's too")
        return
    if not case.problems:
        yield ok("config", f"{case.config_path}: {len(case.config.views)} view(s)")
    yield from _crossed(case)


def _crossed(case: Case) -> Iterator[Check]:
    """Parts that are sound by themselves and do not go together."""
    found = case.config
    assert found is not None  # noqa: S101
    if found.publisher.kind == "memory":
        waiting = [name for name, trigger in found.triggers.items() if trigger.kind == "mqtt"]
        if waiting:
            detail = f"trigger {', '.join(waiting)} waits for messages, and there is no broker (publisher: kind: memory)"
            yield fail("config", detail, "name a broker (publisher: kind: mqtt), or take the trigger out")
        yield warn("publisher", "kind memory: nobody outside this process hears a result", "publisher: kind: mqtt on a line")
    simulated = [name for name, view in found.views.items() if view.camera.kind == "simulated"]
    if simulated:
        detail = f"view {', '.join(simulated)} looks at a rendered machine"
        yield warn("simulated", detail, "its verdicts say so; name a real camera on a line")
    if found.engine.kind == "simulated":
        yield warn("simulated", "the engine computes no model", "its verdicts say so; engine: kind: onnxruntime, or a GPU's")
    elif found.engine.kind == "auto":
        detail = "engine kind auto takes the CPU where the GPU fails, and is late then"
        yield warn("engine choice", detail, "name the engine that the line's cycle time needs")
    if "archive" in _below(case):
        yield warn(
            "archive", "archive.path lies in state_dir, and is said to be its own disk", "archive.path: the disk's folder"
        )


def _below(case: Case) -> tuple[str, ...]:
    """`archive` where own_disk is asked of a folder within the state's."""
    found, state = case.config, case.state_dir
    if found is None or state is None or not found.archive.enabled or not found.archive.own_disk:
        return ()
    return ("archive",) if found.archive.folder(state).is_relative_to(state) else ()
