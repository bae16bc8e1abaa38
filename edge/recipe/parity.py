"""`parity.json` of a recipe's version: whether an engine judges as the float32 model does, on this recipe's own frames.

`lineclear-export parity --keep` writes it. The station reads it: an engine that was found to judge otherwise is not used,
and one that nobody compared is said, or refused where the config requires a report.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Protocol

from pydantic import AwareDatetime, Field, FiniteFloat, ValidationInfo, model_validator
from typing_extensions import Self

from edge.recipe.card import CardEngine
from edge.recipe.document import Person, Sentence, Sha256, hash_of
from edge.schema import Closed

FILE = "parity.json"
MAX_PARITY_BYTES = 4_000_000
AGAIN = "compare it again: lineclear-export parity BUNDLE --recipe RECIPE --keep"

Text = Annotated[str, Field(max_length=2000)]
Measure = Literal[
    "golden", "verdicts to PASS", "other verdicts", "score over margin", "score over spread", "score", "pixels",
    "map mean", "map p99.9", "map max", "half layers",
]  # fmt: skip


class ParityLine(Closed):
    """One thing that was compared. value: None where it is no finite number, and then it is beyond every limit.

    kind: the limit is a ceiling (max) or a floor (min). unit: of value and limit.
    """

    measure: Measure
    value: FiniteFloat | None
    limit: FiniteFloat
    kind: Literal["max", "min"] = "max"
    unit: Annotated[str, Field(max_length=80)] = ""
    detail: Text = ""

    @property
    def passed(self) -> bool:
        """False also where there is no number."""
        if self.value is None:
            return False
        return self.value <= self.limit if self.kind == "max" else self.value >= self.limit

    def __str__(self) -> str:
        value = "no number" if self.value is None else f"{self.value:.4g}"
        sign = "<=" if self.kind == "max" else ">="
        unit = f" {self.unit}" if self.unit else ""
        return f"{self.measure} {value} (limit {sign} {self.limit:.4g}{unit})"


class ParityComparison(Closed):
    """One engine against another one. frames: how many were compared, by where they are from (golden, challenge, images).

    card: SHA-256 of the card at whose thresholds verdicts were compared, None without one. builds: names of the plans that
    ran, of an engine that is built. problem: why nothing could be compared, "" if it could: the engine failed.
    """

    baseline: CardEngine
    candidate: CardEngine
    bundle_hash: Sha256
    card: Sha256 | None = None
    frames: dict[Literal["golden", "challenge", "images"], Annotated[int, Field(ge=0)]] = Field({})
    refused: int = Field(0, ge=0)
    lines: tuple[ParityLine, ...] = Field((), max_length=50)
    builds: tuple[Annotated[str, Field(max_length=200)], ...] = Field((), max_length=16)
    problem: Text = ""
    at: AwareDatetime

    @property
    def broken(self) -> tuple[ParityLine, ...]:
        """The lines beyond their limits."""
        return tuple(line for line in self.lines if not line.passed)

    @property
    def passed(self) -> bool:
        """False also where nothing was compared."""
        return not self.problem and bool(self.lines) and not self.broken

    @property
    def why(self) -> str:
        """What speaks against the engine, "" if nothing."""
        return self.problem or "; ".join(map(str, self.broken)) or ("" if self.lines else "nothing was compared")


class ParityReport(Closed):
    """Every comparison of one bundle. missing: what could not be run where it was made, one phrase each.

    sha256: of everything else in the file, so that a number changed by hand is noticed; it stands among a result's hashes.
    """

    schema_version: Literal[1] = Field(1, alias="schema")
    bundle: str
    bundle_hash: Sha256
    comparisons: tuple[ParityComparison, ...] = Field((), max_length=50)
    missing: tuple[Text, ...] = Field((), max_length=50)
    limits: Text
    who: Person
    when: AwareDatetime
    why: Sentence
    sha256: Sha256

    @model_validator(mode="after")
    def _is_whole(self, info: ValidationInfo) -> Self:
        if any(each.bundle_hash != self.bundle_hash for each in self.comparisons):
            raise ValueError("a comparison is of another bundle")
        sealing = bool(info.context and info.context.get("sealing"))
        if not sealing and self.sha256 != self.content_hash():
            raise ValueError("the report was changed after it was made: compare again, or restore the file")
        return self

    @classmethod
    def sealed(cls, **fields: Any) -> ParityReport:
        """A report of these fields with its own hash. ValidationError if a field is wrong."""
        draft = cls.model_validate({**fields, "sha256": "0" * 64}, context={"sealing": True})
        return draft.model_copy(update={"sha256": draft.content_hash()})

    def content_hash(self) -> str:
        """SHA-256 over the canonical JSON of everything but `sha256`."""
        return hash_of(self.model_dump(mode="json", by_alias=True, exclude={"sha256"}))

    @property
    def passed(self) -> bool:
        """True if at least one engine was compared and none is beyond a limit."""
        return bool(self.comparisons) and all(each.passed for each in self.comparisons)

    def of(self, engine: _Identity) -> ParityComparison | None:
        """The comparison of exactly this engine: backend, version, device, precision. None: there is none."""
        return next((each for each in self.comparisons if _same(each.candidate, engine)), None)


class _Identity(Protocol):
    """An `EngineIdentity`; the type itself lives above this layer."""

    @property
    def backend(self) -> str: ...
    @property
    def version(self) -> str: ...
    @property
    def device(self) -> str: ...
    @property
    def precision(self) -> str: ...


@dataclass(frozen=True)
class Standing:
    """What a kept report means for the engine that runs. blocks: why nothing may be judged; warns: what somebody should
    know; both "" where all is well.
    """

    blocks: str = ""
    warns: str = ""


def standing(
    report: ParityReport | None, *, bundle_hash: str, card: str | None, engine: _Identity, required: bool = False
) -> Standing:
    """What the recipe's report says of this engine.

    The float32 file on ONNX Runtime is what others are compared with, and a simulated engine computes no model: neither
    needs a report. A failed comparison of this engine blocks until a new one replaces it, whatever else changed. A report
    is stale where the bundle, the engine (its version too) or the thresholds are others than those it was made with.
    """
    if engine.backend == "simulated" or (engine.backend, engine.precision) == ("onnxruntime", "float32"):
        return Standing()
    found = report.of(engine) if report is not None and report.bundle_hash == bundle_hash else None
    if found is not None and not found.passed:
        return Standing(blocks=f"{_named(engine)} does not judge as the model does: {found.why}: {AGAIN}")
    lacks = _lacks(report, found, bundle_hash, card, engine)
    if not lacks:
        return Standing()
    return Standing(blocks=f"{lacks}, and the config says `parity: required`: {AGAIN}") if required else Standing(warns=lacks)


def replaced(report: ParityReport, before: ParityReport | None) -> tuple[ParityComparison, ...]:
    """The report's comparisons, then those of the one before that are of the same bundle and of other engines: a report
    from a desk must not take away what the station's own GPU showed.
    """
    if before is None or before.bundle_hash != report.bundle_hash:
        return report.comparisons
    kept = (each for each in before.comparisons if not _among(each.candidate, report.comparisons))
    return (*report.comparisons, *kept)


def _lacks(
    report: ParityReport | None, found: ParityComparison | None, bundle_hash: str, card: str | None, engine: _Identity
) -> str:
    if report is None:
        return f"nobody compared {_named(engine)} with the float32 model"
    if report.bundle_hash != bundle_hash:
        return "the parity report is of another bundle"
    if found is None:
        others = ", ".join(dict.fromkeys(str(each.candidate) for each in report.comparisons)) or "nothing"
        return f"the parity report is of {others}, not of {_named(engine)}"
    if found.card != card:
        return "the parity report was made with other thresholds"
    if card is not None and not any(line.measure == "verdicts to PASS" for line in found.lines):
        return "the parity report compared no frame of this recipe"
    return ""


def _among(engine: CardEngine, comparisons: Iterable[ParityComparison]) -> bool:
    return any(_same(each.candidate, engine) for each in comparisons)


def _same(one: _Identity, other: _Identity) -> bool:
    return (one.backend, one.version, one.device, one.precision) == (
        other.backend,
        other.version,
        other.device,
        other.precision,
    )


def _named(engine: _Identity) -> str:
    return f"{engine.backend}-{engine.version} {engine.device} {engine.precision}"
