"""Settings of signatures: whose bundles and recipes this station uses, and with which key it signs its own changes."""

from __future__ import annotations

from pathlib import Path

from edge.schema import Closed


class TrustSettings(Closed):
    """Where this block stands, a recipe or a bundle without a good signature is refused: there is no switch that allows it.

    trusted_keys: a line for each ed25519 key, as `lineclear trust keygen` prints it; nobody but its owner may write it.
    signing_key: the station's own private key, chmod 600, for what commands change; without it they change no recipe.
    """

    trusted_keys: Path
    signing_key: Path | None = None
