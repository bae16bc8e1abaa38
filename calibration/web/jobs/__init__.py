"""Long work of the page: one at a time, in a thread of its own, with progress, and stopped when a person says so."""

from calibration.web.jobs.running import Job, Jobs, JobsFull, State

__all__ = ["Job", "Jobs", "JobsFull", "State"]
