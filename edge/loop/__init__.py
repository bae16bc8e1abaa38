"""The station's threads: one grabber per view, one judge, one picture maker; one trigger, one verdict, always."""

from edge.loop.pictures import PictureSettings
from edge.loop.report import Identity, Reporter
from edge.loop.station import Station, ViewSetup

__all__ = ["Identity", "PictureSettings", "Reporter", "Station", "ViewSetup"]
