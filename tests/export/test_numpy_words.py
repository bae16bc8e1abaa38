import numpy as np
import pytest
import torch

from edge.errors import BundleError
from export.checkpoint import load_checkpoint
from export.numpy_words import NUMPY_NUMBER

WORDS = {name: word for word, name in NUMPY_NUMBER}


def _saved(tmp_path, value):
    path = tmp_path / "checkpoint.pt"
    torch.save({"state": {"weight": torch.ones(2)}, "value": value}, path)
    return path


@pytest.mark.parametrize(
    ("value", "read"), [(np.float64(0.25), 0.25), (np.float32(0.5), 0.5), (np.int64(-7), -7), (np.float64(np.pi), np.pi)]
)
def test_a_number_of_numpys_is_a_plain_number(tmp_path, value, read):
    checkpoint = load_checkpoint(_saved(tmp_path, value), inner="state", allow=NUMPY_NUMBER)
    assert checkpoint.extra["value"] == read
    assert type(checkpoint.extra["value"]) in (int, float)


def test_without_the_words_it_is_refused(tmp_path):
    with pytest.raises(BundleError, match="numpy"):
        load_checkpoint(_saved(tmp_path, np.float64(1)), inner="state")


def test_other_numbers_are_none_and_arrays_are_refused(tmp_path):
    assert load_checkpoint(_saved(tmp_path, np.complex128(1)), inner="state", allow=NUMPY_NUMBER).extra["value"] is None
    with pytest.raises(BundleError, match="numpy"):
        load_checkpoint(_saved(tmp_path, np.zeros(3)), inner="state", allow=NUMPY_NUMBER)


@pytest.mark.parametrize(
    "arguments", [(), ("f8",), (WORDS["numpy.dtype"]("f8"), b"short"), (WORDS["numpy.dtype"]("O8"), b"12345678")]
)
def test_forged_numbers_construct_nothing(arguments):
    scalar = WORDS["numpy.core.multiarray.scalar"]
    if arguments:
        assert scalar(*arguments) is None
    else:
        with pytest.raises(TypeError):
            scalar()


@pytest.mark.parametrize("arguments", [("text", "rot13"), (b"bytes", "latin1"), ("\u4e00", "latin1"), ("text",)])
def test_forged_bytes_are_errors_that_the_reader_knows(arguments):
    with pytest.raises(ValueError, match=r"encod|codec"):
        WORDS["_codecs.encode"](*arguments)
    assert WORDS["_codecs.encode"]("\xff", "latin1") == b"\xff"


def test_a_stand_in_for_a_type_takes_any_state():
    stand_in = WORDS["numpy.dtype"]("f8", False, True)
    stand_in.__setstate__((3, "<", None, None, None, -1, -1, 0))
    assert stand_in.name == "f8"
