"""A process that archives into a folder until it is killed; it prints a line for each result that is stored."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.archive.samples import evidence, running

with running(Path(sys.argv[1])) as archive:
    told = 0
    for number in range(100_000):
        archive.submit(evidence(number))
        stored = int(archive.health()["archive.stored"] or 0)
        sys.stdout.write("stored\n" * (stored - told))
        sys.stdout.flush()
        told = stored
