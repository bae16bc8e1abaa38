from calibration.evaluate.configurations import EIGHT, STATION, Configuration


def test_the_eight_stand_in_the_order_of_the_studys_tables():
    assert [each.code for each in EIGHT] == [
        "PO+M+R",
        "PO+NM+R",
        "PO+M+NR",
        "PO+NM+NR",
        "PRE+M+R",
        "PRE+NM+R",
        "PRE+M+NR",
        "PRE+NM+NR",
    ]


def test_the_station_is_one_of_them():
    assert STATION in EIGHT
    assert STATION.code == "PRE+M+R"
    assert STATION.words == "pre-masking, masks, registration"


def test_without_masks_before_and_after_are_the_same():
    pairs = [(each, each.measured_as(True)) for each in EIGHT if not each.masked]
    assert {source.code for _, source in pairs} == {"PRE+NM+R", "PRE+NM+NR"}
    assert all(each.registered == source.registered for each, source in pairs)


def test_with_masks_each_is_measured_for_itself():
    assert all(each.measured_as(True) == each for each in EIGHT if each.masked)
    assert len({each.measured_as(True) for each in EIGHT}) == 6


def test_a_recipe_without_masks_leaves_two_to_measure():
    assert {each.measured_as(False) for each in EIGHT} == {
        Configuration("pre", False, True),
        Configuration("pre", False, False),
    }
    assert STATION.measured_as(False).code == "PRE+NM+R"
