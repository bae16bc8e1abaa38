"""Engines: what runs a bundle on this machine."""
