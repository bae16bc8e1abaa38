from tests.calibration.evaluate.conftest import labelled, masked, swept

__all__ = ["labelled", "masked", "swept"]
