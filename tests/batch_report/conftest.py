from __future__ import annotations

import pytest

from edge.archive import ArchiveReader
from edge.batch_report import BatchContent, gather
from tests.batch_report.samples import BATCH, batch


@pytest.fixture(scope="package")
def reader(tmp_path_factory: pytest.TempPathFactory) -> ArchiveReader:
    """The story; read-only."""
    return batch(tmp_path_factory.mktemp("batch"))


@pytest.fixture(scope="package")
def content(reader: ArchiveReader) -> BatchContent:
    return gather(reader, BATCH)
