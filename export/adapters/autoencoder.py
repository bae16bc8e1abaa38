"""An auto-encoder's checkpoint and its declaration -> the module of its bundle, and what the manifest says of it."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timezone
from types import MappingProxyType

import torch
from torch import nn

from edge.bundle import Declaration, Limits, Masking, ResizeRule, Tolerance, Training, contract
from edge.errors import ConfigError
from edge.settings.judging import ScoreRule
from export.adapters.building import built
from export.checkpoint import Checkpoint, fill
from export.nets.autoencoder import TOP_MAX, AutoencoderMap, build_network
from export.nets.autoencoder_spec import AutoencoderSpec

FAMILY = "autoencoder"
# Float16: small trained networks (docs/evaluation.md) moved a map by 3e-4 at most, with an L1 and with an SSIM residual.
LIMITS = Limits(float32=Tolerance(rtol=1e-3, atol=1e-4), float16=Tolerance(rtol=1e-2, atol=5e-3))
LICENCE = (
    "Weights of an auto-encoder that somebody trained; they belong to whoever did.\n"
    "The network in this bundle follows the declaration that was given with them.\n"
)


def module_of(checkpoint: Checkpoint, spec: AutoencoderSpec, where: str) -> AutoencoderMap:
    """The declared network with its weights. ConfigError: the declaration is wrong. BundleError: the weights are not its."""
    _check_score(spec, where)
    renamed = _renamed(checkpoint, spec.keys, where)
    return AutoencoderMap(built(lambda: build_network(spec, where), renamed), spec).eval()


def module_from_factory(checkpoint: Checkpoint, spec: AutoencoderSpec, factory: str, where: str) -> AutoencoderMap:
    """The network that `package.module:function` makes, with the checkpoint's weights. This runs the user's own code.

    ConfigError: no such function, or what it makes is no network that gives back the picture's shape.
    """
    if spec.network is not None:
        raise ConfigError("is declared, and --factory makes one too", where=f"{where}: network", remedy="leave one of them out")
    _check_score(spec, where)
    network = _made_by(factory)
    fill(network, _renamed(checkpoint, spec.keys, where))
    width, height = spec.input_wh
    given = torch.zeros(1, spec.channels, height, width)
    with torch.no_grad():
        made = network(given)
    if not isinstance(made, torch.Tensor) or made.shape != given.shape:
        gave = list(made.shape) if isinstance(made, torch.Tensor) else f"a {type(made).__name__}"
        raise ConfigError(
            f"gives {gave} for {list(given.shape)}",
            where="--factory",
            remedy="its forward must return the reconstruction alone",
        )
    return AutoencoderMap(network, spec).eval()


def declaration_of(
    spec: AutoencoderSpec, parameters: Mapping[str, str | int | float | bool | None], training: Training, created_by: str
) -> Declaration:
    """What the manifest says of the model. parameters: where the declaration came from."""
    in_graph = spec.score != "max"
    rule = spec.residual
    return Declaration(
        family=FAMILY,
        size_wh=spec.size,
        inputs=contract(spec.size, ["image"]),
        outputs=contract(spec.size, ["anomaly_map", "image_score"] if in_graph else ["anomaly_map"]),
        colour_order=spec.colour,
        value_range=spec.range,
        resize=ResizeRule(kernel=spec.resize),
        score=ScoreRule(kind="graph" if in_graph else "max", window=1),
        masking=Masking(fill="reference") if in_graph else Masking(),
        limits=LIMITS,
        parameters={
            "residual": f"ssim, {rule.window} window of {rule.side}" if rule.kind == "ssim" else rule.kind,
            "score": spec.score,
            **({"patches": f"{spec.patches.side} every {spec.patches.stride}"} if spec.patches else {}),
            **parameters,
        },
        training=training,
        created_at=datetime.now(timezone.utc),
        created_by=created_by,
    )


def _check_score(spec: AutoencoderSpec, where: str) -> None:
    if spec.score == "p99" and 0.01 * spec.size[0] * spec.size[1] + 2 > TOP_MAX:
        raise ConfigError(
            f"p99 of {spec.size[0]}x{spec.size[1]} needs more than TensorRT's {TOP_MAX} largest values",
            where=f"{where}: score",
            remedy="write max or mean",
        )


def _renamed(checkpoint: Checkpoint, keys: Mapping[str, str], where: str) -> Checkpoint:
    state = dict(checkpoint.state)
    for theirs, ours in keys.items():
        found = [name for name in state if name == theirs or name.startswith(f"{theirs}.")]
        if not found:
            raise ConfigError(
                f"the checkpoint has no {theirs!r}", where=f"{where}: keys", remedy="lineclear-export inspect FILE"
            )
        for name in found:
            renamed = ours + name[len(theirs) :]
            if renamed in state:
                raise ConfigError(f"{renamed!r} would be there twice", where=f"{where}: keys", remedy="rename it too")
            state[renamed] = state.pop(name)
    return replace(checkpoint, state=MappingProxyType(state))


def _made_by(factory: str) -> nn.Module:
    package, _, function = factory.partition(":")
    if not package or not function:
        raise ConfigError(f"{factory!r} is no factory", where="--factory", remedy="write package.module:function")
    try:
        make = getattr(importlib.import_module(package), function)
    except (ImportError, AttributeError, ValueError) as error:
        raise ConfigError(f"cannot be imported ({error})", where="--factory", remedy="is it on PYTHONPATH?") from None
    network = make()
    if not isinstance(network, nn.Module):
        raise ConfigError(f"gives a {type(network).__name__}", where="--factory", remedy="it must return a torch.nn.Module")
    return network
