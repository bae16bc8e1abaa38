"""`lineclear trust`: its arguments and its manual page."""

from __future__ import annotations

import argparse
from pathlib import Path

SUMMARY = "make keys, sign bundles and recipes, check signatures"

DESCRIPTION = """\
keygen: a key pair (ed25519). The private key stays where it signs; the line in KEY.pub goes into the list of keys that
stations believe (`trust: {trusted_keys: ...}` in a station's config).
sign: vouch for a bundle, or for the version of a recipe that is in force. The signature lies beside it and changes nothing.
verify: who signed it, and whether the list believes them.

A station with `trust` uses no recipe and no bundle without a good signature. What commands over MQTT change is signed by the
station itself (`signing_key`); what lineclear-calibrate changed must be signed here before `reload`.
"""

EPILOG = """\
exit status:
  0  done; verify: signed by a trusted key
  1  verify: not signed by a trusted key, or changed since
  3  refused: one line says why

examples:
  lineclear trust keygen integrator.key --name "Integrator 2026" --for bundle
  lineclear trust keygen /etc/lineclear/station.key --name "station feeder" --for recipe
  lineclear trust sign models/variation-1a2b3c4d5e6f --key integrator.key --by "A. Meier"
  lineclear trust sign recipes/tablets/front --key technician.key --by "B. Roth"
  lineclear trust verify recipes/tablets/front --trusted /etc/lineclear/trusted-keys
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What it can be told."""
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="keygen|sign|verify", help="what to do")
    keygen = verbs.add_parser("keygen", help="a new key pair")
    keygen.add_argument("key", type=Path, metavar="KEY", help="the file of the private key; KEY.pub gets the public one")
    keygen.add_argument("--name", required=True, metavar="TEXT", help="whose key it is, for the list")
    keygen.add_argument(
        "--for",
        required=True,
        action="append",
        choices=("bundle", "recipe"),
        dest="uses",
        help="what it may sign; twice for both",
    )
    signing = verbs.add_parser("sign", help="vouch for a bundle or a recipe")
    signing.add_argument("path", type=Path, metavar="BUNDLE|RECIPE", help="a bundle's folder or zip, or a recipe's folder")
    signing.add_argument("--key", required=True, type=Path, metavar="KEY", help="the private key, chmod 600")
    signing.add_argument("--by", required=True, metavar="NAME", help="who vouches for it")
    check = verbs.add_parser("verify", help="who signed it")
    check.add_argument("path", type=Path, metavar="BUNDLE|RECIPE", help="a bundle's folder or zip, or a recipe's folder")
    check.add_argument("--trusted", required=True, type=Path, metavar="FILE", help="the list of keys")


def run(args: argparse.Namespace) -> int:
    """Its exit status."""
    from edge.cli import trust

    if args.verb == "keygen":
        return trust.keygen(args.key, args.name, args.uses)
    if args.verb == "sign":
        return trust.add_signature(args.path, args.key, args.by)
    return trust.verify(args.path, args.trusted)
