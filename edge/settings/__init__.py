"""Closed, frozen settings: the vocabulary that configs, recipes and manifests are written in. No I/O, no behaviour."""
