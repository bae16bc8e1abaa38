"""Collecting good frames: from a camera or a folder, checked, aligned, stored without loss."""

from calibration.collect.album import read_album
from calibration.collect.collecting import Collected, Wanted, collect
from calibration.collect.condition import Condition, Yardstick
from calibration.collect.enough import Enough, enough
from calibration.collect.records import CheckValue, CollectionFile, Refusal, StoredFrame
from calibration.collect.settings import CollectSettings
from calibration.collect.sources import CameraSource, FolderSource, Shot, Source, Unreadable

__all__ = [
    "CameraSource",
    "CheckValue",
    "CollectSettings",
    "Collected",
    "CollectionFile",
    "Condition",
    "Enough",
    "FolderSource",
    "Refusal",
    "Shot",
    "Source",
    "StoredFrame",
    "Unreadable",
    "Wanted",
    "Yardstick",
    "collect",
    "enough",
    "read_album",
]
