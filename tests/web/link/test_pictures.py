"""The last few pictures of each view are at hand: a page that was told of one is not too late for it."""

from __future__ import annotations

import hashlib

from tests.web.link.parts import JPEG, heard, mirror

IMAGE = "view/feeder/image/overlay"


def named(number: int) -> tuple[bytes, dict[str, str]]:
    data = JPEG + bytes([number])
    return data, {"result_id": f"r-{number}", "sha256": hashlib.sha256(data).hexdigest()}


def test_a_picture_is_kept_while_newer_ones_come_and_not_for_ever() -> None:
    page = mirror()
    for number in range(9):
        data, properties = named(number)
        page.hear(heard(IMAGE, data, properties=properties))
    newest = page.now().views["feeder"].picture
    assert newest is not None
    assert newest.result_id == "r-8"
    for number in range(9):
        found = page.picture("feeder", f"r-{number}")
        assert (found is not None) == (number >= 3), number
        assert found is None or found.data == named(number)[0]


def test_a_picture_is_found_only_in_its_own_view() -> None:
    page = mirror()
    data, properties = named(1)
    page.hear(heard(IMAGE, data, properties=properties))
    assert page.picture("nest", "r-1") is None
    assert page.picture("no view", "r-1") is None
