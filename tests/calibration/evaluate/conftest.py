import pytest

from calibration.evaluate import Options, evaluate, read_labelled, sweep
from tests.calibration.evaluate.making import engine_of, with_masks, write_labelled


@pytest.fixture(scope="session")
def labelled(tmp_path_factory):
    """A labelled folder of the synthetic scene."""
    return write_labelled(tmp_path_factory.mktemp("labelled"))


@pytest.fixture(scope="session")
def masked(built, tmp_path_factory):
    """The built recipe, with the belt masked."""
    import shutil

    return with_masks(shutil.copytree(built / "recipe", tmp_path_factory.mktemp("masked") / "front"))


@pytest.fixture(scope="session")
def swept(masked, built, labelled):
    """The whole sweep, once."""
    return sweep(masked, read_labelled(labelled), good=built / "good", open_engine=engine_of, options=Options(rounds=20))


@pytest.fixture(scope="session")
def evaluated(masked, built, labelled):
    """The recipe as the station judges."""
    return evaluate(masked, read_labelled(labelled), good=built / "good", open_engine=engine_of, options=Options(rounds=20))
