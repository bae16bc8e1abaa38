"""What every page of the wizard begins with: whose turn it is, how far it is, and what runs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import quote

from fastapi.responses import HTMLResponse, RedirectResponse

from calibration.progress import Progress
from calibration.web.jobs import Job, Jobs
from calibration.web.pages.calibrate_doors import Refused, Visit, page, view_of
from calibration.web.pages.calibrate_words import refusal_line
from calibration.web.wizard.bench import Bench
from calibration.web.wizard.opening import bench_of
from calibration.web.wizard.standing import standing_of
from calibration.web.wizard.state import STEPS, Step, WizardState
from edge.errors import LineclearError

__all__ = ["Progress", "Turn", "begin", "bench_for", "job_shown", "show", "stop_work", "turn_of", "wizard_url"]


@dataclass(frozen=True, eq=False)
class Turn:
    """One request of the person who calibrates this view."""

    visit: Visit
    bench: Bench
    state: WizardState

    @property
    def headroom(self) -> float:
        """How far a line may be dragged above the highest good score, as the station's config says."""
        return self.visit.site.config.commands.threshold_headroom

    @property
    def url(self) -> str:
        """Where the wizard of this view is."""
        return wizard_url(self.bench.view)

    def changed(self, **changes: Any) -> Turn:
        """With the state changed, on the disk too."""
        return replace(self, state=self.bench.desk.change(self.visit.user.name, **changes))

    def to(self, step: str, job: Job | None = None) -> RedirectResponse:
        """Go to a step; job: what was just begun."""
        return RedirectResponse(f"{self.url}/{step}{f'?job={job.id}' if job else ''}", status_code=303)

    def start(self, step: str, work: Callable[[Progress], object]) -> RedirectResponse:
        """Begin long work and go to the step where it shows; what runs already for this view is shown instead."""
        jobs, kind = jobs_of(self.visit), job_kind(self.bench.view)
        job = jobs.running(kind) or jobs.start(kind, self.visit.user.name, work)
        return self.to(step, job)

    def told(self) -> tuple[Callable[[Progress], Progress], Callable[[Any], None]]:
        """For collecting: a progress whose last word is how many were refused and why, and who hears of refusals."""
        heard: list[str] = []
        t = self.visit.t

        def hear(refusal: Any) -> None:
            heard.append(refusal_line(t, refusal))

        def wrapped(progress: Progress) -> Progress:
            def report(done: int, total: int, what: str = "") -> None:
                del what  # the name of a file, which tells a person nothing
                last = t("calibrate.refused_so_far", count=len(heard), last=heard[-1]) if heard else ""
                progress(done, total, last)

            return report

        return wrapped, hear


def bench_for(visit: Visit, view: str) -> Bench:
    """NotFound: no such view, or not for this person."""
    view_of(visit, view)
    return bench_of(visit.site, view)


def turn_of(visit: Visit, view: str) -> Turn:
    """For steps of a calibration that is under way. NotFound: no such view. NotBegun, AtWork: it is not this person's."""
    bench = bench_for(visit, view)
    return Turn(visit, bench, bench.desk.mine(visit.user.name))


def show(turn: Turn, step: Step, job_id: str = "", *, status: int = 200, **context: Any) -> HTMLResponse:
    """One step's page, with how far everything is and what runs."""
    bench = turn.bench
    moved: LineclearError | None = None
    try:
        bench.check(turn.state)
    except LineclearError as error:
        moved = error
    standing = standing_of(bench, turn.state)
    number = STEPS.index(step)
    return page(
        turn.visit,
        f"calibrate/{step}.html",
        status=status,
        view=bench.view,
        state=turn.state,
        url=turn.url,
        step=step,
        steps=STEPS,
        standing=standing,
        moved=moved,
        before=STEPS[number - 1] if number else None,
        after=STEPS[number + 1] if number + 1 < len(STEPS) else None,
        job=job_shown(turn.visit, bench.view, job_id),
        **context,
    )


def job_shown(visit: Visit, view: str, job_id: str) -> Job | None:
    """What runs for this view, else what is asked for and over, if it is this person's."""
    jobs = jobs_of(visit)
    found = jobs.running(job_kind(view)) or (jobs.get(job_id) if job_id else None)
    return found if found is not None and found.who == visit.user.name and found.kind == job_kind(view) else None


def begin(visit: Visit, view: str, work: Callable[[Progress], object]) -> Job:
    """Long work that must not be mistaken for what runs already. Refused: something runs for this view."""
    jobs, kind = jobs_of(visit), job_kind(view)
    if jobs.running(kind) is not None:
        raise Refused("calibrate.busy", 409)
    return jobs.start(kind, visit.user.name, work)


def stop_work(visit: Visit, view: str) -> None:
    """What runs for this view is for nobody any more."""
    running = jobs_of(visit).running(job_kind(view))
    if running is not None:
        jobs_of(visit).cancel(running.id)


def jobs_of(visit: Visit) -> Jobs:
    """The page's long work."""
    jobs: Jobs = visit.site.jobs
    return jobs


def job_kind(view: str) -> str:
    """One at a time for a view: two would work on the same frames."""
    return f"calibrate {view}"


def wizard_url(view: str) -> str:
    """Any view name as one part of a path."""
    return f"/calibrate/{quote(view, safe='')}"
