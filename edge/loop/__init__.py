"""The station's threads: one grabber per view, one judge, one picture maker; one trigger, one verdict, always."""

from edge.loop.asked import AskedFor
from edge.loop.evidence import EvidenceKeeper
from edge.loop.judging import Examined
from edge.loop.pictures import PictureSettings
from edge.loop.report import Identity, Reporter, Witness, view_state
from edge.loop.seating import Seating, ViewSetup
from edge.loop.station import Station
from edge.loop.switching import CallLimits, EngineOffer, SwitchRefused

__all__ = [
    "AskedFor",
    "CallLimits",
    "EngineOffer",
    "EvidenceKeeper",
    "Examined",
    "Identity",
    "PictureSettings",
    "Reporter",
    "Seating",
    "Station",
    "SwitchRefused",
    "ViewSetup",
    "Witness",
    "view_state",
]
