"""Everything that clearances need of one running page, made once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from calibration.web.clearance.desk import Asks, Desk
from calibration.web.clearance.known import Clearances
from calibration.web.clearance.ledger import Ledger
from calibration.web.clearance.looks import Looks
from calibration.web.clearance.releasing import Circumstances
from edge.clearance.base import ClearanceSettings
from edge.errors import LineclearError

if TYPE_CHECKING:
    from calibration.web.site import Site

_PRODUCT_S = 2.0
_BESIDE_S = 15.0
"""How much longer than the station's own limit the page waits for an answer."""


class AskedProduct:
    """What the station answered when it was asked for its product; asked once for each `state` that it sends."""

    def __init__(self) -> None:
        self._known: tuple[object, str] = (None, "")

    def of(self, state: Mapping[str, Any] | None, link: Asks) -> str:
        """The product, "" if the station does not answer at once."""
        said_at = (state or {}).get("creationTime")
        if said_at is None or (state or {}).get("status") == "offline":
            return ""
        if self._known[0] != said_at:
            try:
                product = str(link.ask("state", {}, timeout_s=_PRODUCT_S).get("product") or "")
            except LineclearError:
                return ""
            self._known = said_at, product
        return self._known[1]


@dataclass(frozen=True, eq=False)
class Office:
    """ledger: what was asked. desk: asks. clearances: finds them. looks: live frames that somebody looked at."""

    site: Site
    ledger: Ledger
    desk: Desk
    clearances: Clearances
    looks: Looks
    asked_product: AskedProduct

    def circumstances(self, person: str, *, may_release: bool) -> Circumstances:
        """What stands around a clearance now, for somebody who would release a view of it."""
        config, now = self.site.config, self.site.mirror.now()
        return Circumstances(
            self.clearances.newest(),
            now.state if now.connected else None,
            may_release,
            config.commands.person_may(person, "release"),
            self.may_ask("review", "release"),
        )

    def product(self) -> str:
        """The product in force, "" if nobody knows: asked of the station where its recipes do not name one."""
        state = self.site.mirror.now().state
        views = (state or {}).get("views") or ()
        named = {str(view.get("product") or "") for view in views}
        if len(named) == 1 and (only := next(iter(named))):
            return only
        return self.asked_product.of(state, self.site.link) or self.site.product() or ""

    def may_ask(self, *rights: str) -> bool:
        """Whether the station's config lets the page's client ask for all of these."""
        commands = self.site.config.commands
        return commands.enabled and commands.rights_of(self.site.settings.client).issuperset(rights)


def open_office(site: Site) -> Office:
    """The office of this site; nothing runs before somebody asks."""
    ledger = Ledger(site.folder)
    clearances = Clearances(site.archive, lambda: site.mirror.now().clearance, ledger.document)
    desk = Desk(
        site.link,
        ledger,
        lambda: site.mirror.now().clearance,
        clearances.of_request,
        whole_s=ClearanceSettings.of(site.config.clearance).whole_s + _BESIDE_S,
        fresh_s=site.config.clearance.order_max_age_s,
    )
    return Office(site, ledger, desk, clearances, Looks(site.link, site.mirror), AskedProduct())
