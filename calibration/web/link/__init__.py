"""What the page hears of the station, and what it asks of it: MQTT as client `page`."""

from calibration.web.link.asking import Link, StationBusy, StationRefused, StationSilent
from calibration.web.link.mirror import Mirror, Picture, StationNow, ViewNow, product_of
from calibration.web.link.opening import LinkPlan, open_link, plan_link

__all__ = [
    "Link",
    "LinkPlan",
    "Mirror",
    "Picture",
    "StationBusy",
    "StationNow",
    "StationRefused",
    "StationSilent",
    "ViewNow",
    "open_link",
    "plan_link",
    "product_of",
]
