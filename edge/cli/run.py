"""`lineclear run`: the station, until SIGTERM or SIGINT."""

from __future__ import annotations

import logging
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timezone
from pathlib import Path
from types import FrameType

from edge.app import assemble
from edge.config import StationConfig, load_config
from edge.errors import ConfigError, EngineFault, LineclearError
from edge.safe_mode import ConfigWatch, LastGood, Proving
from edge.supervision import Bomb, Notifier, Pulses, Restarts, Supervisor, bound_arenas
from edge.watching import Watching

log = logging.getLogger(__name__)

PAUSE_SLACK_S = 60.0


def run(config_path: Path) -> int:
    """Run the station of `config_path` in the foreground; 0 after a clean stop.

    A config that cannot be used: the last good one, in safe mode. ConfigError: there is none that could be; StationBusy. If a
    part hangs the process ends with edge.supervision.HUNG, and does not return from here.
    """
    bound_arenas()
    os.umask(os.umask(0o077) | 0o007)  # evidence and state are for the station and its group, whoever starts it
    notifier, restarts = Notifier.from_environment(os.environ), Restarts.of(config_path, os.environ)
    kept = LastGood.of(config_path, os.environ)
    stop = threading.Event()
    with _signals(stop):
        _pause(restarts.begin(), notifier, stop)
        try:
            try:
                config = load_config(config_path)
                _run(config, config_path, notifier, restarts, stop, kept)
            except (ConfigError, EngineFault) as error:
                config, why = _fallen_back(config_path, kept, error)
                _run(config, config_path, notifier, restarts, stop, None, why)
        except LineclearError as error:
            notifier.status(f"cannot start: {error}")
            raise
    restarts.succeeded()
    return 0


def _pause(pause_s: float, notifier: Notifier, stop: threading.Event) -> None:
    """After several starts that failed, the next one waits, and says so."""
    if pause_s > 0:
        log.warning("start_waits for_s=%g", pause_s)
        notifier.status(f"waits {pause_s:g} s: the last starts failed, see the log")
        notifier.extend(pause_s + PAUSE_SLACK_S)
        stop.wait(pause_s)


def _fallen_back(path: Path, last_good: LastGood, error: ConfigError | EngineFault) -> tuple[StationConfig, str]:
    """The last good config, and why it is needed. The same error, or ConfigError with all problems: there is none, or it is
    no other.
    """
    problems = error.problems if isinstance(error, ConfigError) else (str(error),)
    try:
        kept = last_good.load()
    except ConfigError as nothing:
        what = str(nothing) if last_good.path.exists() else f"none was kept in {last_good.path}"
        problems = (*problems, f"there is no last good config to run in safe mode: {what}")
        raise ConfigError(error.message, where=error.where, remedy=error.remedy, problems=problems) from None
    meant = _loaded(path)
    if meant == kept.config:
        raise error
    for problem in problems:
        log.error("config_refused problem=%r", problem)
    more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    if meant is not None and meant.station != kept.config.station:
        more += f"; it speaks as {kept.config.station.topic}, not as {meant.station.topic}"
    why = (
        f"{problems[0]}{more}: nothing is judged; mend the file and restart the station, which runs with what it had "
        f"on {kept.saved_at}"
    )
    log.error("safe_mode why=%r", why)
    return kept.config, why


def _loaded(path: Path) -> StationConfig | None:
    try:
        return load_config(path)
    except ConfigError:
        return None


def _run(
    config: StationConfig,
    path: Path,
    notifier: Notifier,
    restarts: Restarts,
    stop: threading.Event,
    last_good: LastGood | None,
    safe_mode: str = "",
) -> None:
    """last_good: where the config is kept once it ran well."""
    if stop.is_set():
        return
    supervisor = Supervisor(Pulses(config.supervision.thread_s), notifier, Bomb())
    supervisor.lasting = restarts.succeeded
    watching = Watching(
        supervisor,
        safe_mode=safe_mode,
        proving=Proving(config, last_good, lambda: datetime.now(timezone.utc)) if last_good is not None else None,
        config_watch=ConfigWatch(path),
        stop=stop,
    )
    with supervisor:
        with assemble(config, watching=watching) as assembly:
            log.info("station_ready topic=%s views=%s", config.station.topic, ",".join(config.views))
            assembly.station.run(stop)
            if supervisor.fatal is None:
                supervisor.stopping()
        supervisor.leave()
    log.info("station_stopped topic=%s", config.station.topic)


@contextmanager
def _signals(stop: threading.Event) -> Iterator[None]:
    """SIGTERM and SIGINT ask the station to stop.

    The kernel may hand a signal to any thread, while Python runs its handlers in the main thread alone, and only once that
    wakes up: one that waits would not hear it. So the byte that the interpreter writes for each signal is what counts.
    """
    asked, told = os.pipe()
    os.set_blocking(told, False)

    def listen() -> None:
        while number := os.read(asked, 1):
            if number[0] in before:
                log.info("stopping signal=%s", signal.Signals(number[0]).name)
                stop.set()

    before = {int(number): signal.signal(number, _leave_it) for number in (signal.SIGTERM, signal.SIGINT)}
    woken_before = signal.set_wakeup_fd(told)
    listener = threading.Thread(target=listen, name="signals", daemon=True)
    listener.start()
    try:
        yield
    finally:
        signal.set_wakeup_fd(woken_before)
        for number, handler in before.items():
            signal.signal(number, handler)
        os.close(told)
        listener.join()
        os.close(asked)


def _leave_it(_number: int, _frame: FrameType | None) -> None:
    """The listener does it: a handler may run while its thread holds the very lock that stopping needs."""
