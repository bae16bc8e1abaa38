"""A residual network and good images -> a bundle that says how far an image, or a place in it, is from the good ones.

None of the projects saves the density with its network, so it is fitted here, at export, from good images (or read from a
file). `fit_image` and `fit_places` do that; `Fitted.declaration` is what the manifest says.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from edge.errors import ConfigError
from edge.settings.registration import ResizeKernel
from edge.types import ImageU8
from export.adapters.gaussian import fit, fit_field, load_gaussian
from export.adapters.good_frames import Prepared
from export.adapters.mahalanobis_bundle import Fitted, Scalar, training_of
from export.adapters.mahalanobis_keys import Layout
from export.adapters.mahalanobis_network import check_side, embedding_of, read_layout, resnet_of
from export.adapters.mahalanobis_settings import ImageSettings, PlaceSettings
from export.checkpoint import Checkpoint
from export.nets.mahalanobis import ImageDensity, ImageDistance, PlaceDistance, PlaceEmbedding, places

MAX_FIELD_BYTES = 256 << 20
MAX_PLACES_BYTES = 4 << 30


def fit_image(checkpoint: Checkpoint, settings: ImageSettings, prepared: Prepared, kernel: ResizeKernel) -> Fitted:
    """Image level: embed the good images and fit the density of their vectors."""
    layout = read_layout(checkpoint)
    settings = settings.settled(layout)
    embedding = embedding_of(checkpoint, layout, settings)
    parameters = _image_parameters(layout, checkpoint, settings)
    vectors = np.concatenate(_run(embedding, prepared.images))
    module: nn.Module
    if settings.density == "kde":
        density = ImageDensity(embedding, torch.from_numpy(vectors), settings.bandwidth)
        parameters |= {"bandwidth": settings.bandwidth, "density_constant": density.constant}
        module = density
    else:
        gaussian, parameters["shrinkage"] = fit(vectors)
        module = ImageDistance(embedding, torch.from_numpy(gaussian.mean), torch.from_numpy(gaussian.factor))
    return Fitted(module.eval(), "image", settings.size_wh, kernel, parameters, training_of(prepared))


def given_image(checkpoint: Checkpoint, settings: ImageSettings, kernel: ResizeKernel, gaussian: Path) -> Fitted:
    """Image level with the Gaussian of a .npz file; which images it was fitted to is not known then."""
    layout = read_layout(checkpoint)
    settings = replace(settings.settled(layout), density="gaussian")
    embedding = embedding_of(checkpoint, layout, settings)
    size = layout.head[-1].channels_out if settings.embedding == "head" else layout.resnet.out[-1]
    found = load_gaussian(gaussian, size)
    module = ImageDistance(embedding, torch.from_numpy(found.mean), torch.from_numpy(found.factor)).eval()
    parameters = _image_parameters(layout, checkpoint, settings) | {
        "gaussian_sha256": hashlib.sha256(gaussian.read_bytes()).hexdigest()
    }
    return Fitted(module, "image", settings.size_wh, kernel, parameters, training_of(None))


def fit_places(checkpoint: Checkpoint, settings: PlaceSettings, prepared: Prepared, kernel: ResizeKernel) -> Fitted:
    """Patch level: a Gaussian per place of the first stage's map, all of them bounded to 256 MiB."""
    layout = read_layout(checkpoint)
    check_side(settings.size_wh)
    if not all(1 <= stage <= len(layout.resnet.out) for stage in settings.stages) or not settings.stages:
        raise ConfigError(f"stages {settings.stages} are not all there", where="--stages", remedy="write for example 1,2,3")
    if settings.stages[0] != 1:
        raise ConfigError("the first stage must be 1: its map gives the places", where="--stages", remedy="write 1,2,3")
    indexes = [stage - 1 for stage in settings.stages]
    total = sum(layout.resnet.out[index] for index in indexes)
    count = min(settings.channels, total)
    channels = sorted(random.Random(settings.seed).sample(range(total), count))  # noqa: S311 (a choice, not a secret)
    width, height = settings.size_wh
    where = places(width) * places(height)
    rank = min(len(prepared.images) - 1, count)
    if 4 * where * (count * (rank + 1) + rank) > MAX_FIELD_BYTES or 4 * where * count * len(prepared.images) > MAX_PLACES_BYTES:
        raise ConfigError(
            f"{where} Gaussians of {count} channels from {len(prepared.images)} images: more than {MAX_FIELD_BYTES >> 20} MiB",
            where="--channels",
            remedy="give fewer channels, a smaller --size, or fewer images",
        )
    embedding = PlaceEmbedding(resnet_of(checkpoint, layout), indexes, None if count == total else channels).eval()
    vectors = np.concatenate(_run(embedding, prepared.images))
    field = fit_field(vectors.reshape(len(vectors), count, where).transpose(0, 2, 1), settings.epsilon)
    parts = (torch.from_numpy(field.mean), torch.from_numpy(field.axes), torch.from_numpy(field.weights), field.epsilon)
    module = PlaceDistance(embedding, parts, settings.size_wh, settings.sigma).eval()
    parameters = _parameters(layout, checkpoint) | {
        "level": "patch",
        "stages": ",".join(map(str, settings.stages)),
        "channels": count,
        "seed": settings.seed,
        "epsilon": settings.epsilon,
        "sigma": settings.sigma,
        "gaussian_mib": round(field.nbytes / (1 << 20), 1),
    }
    return Fitted(module, "patch", settings.size_wh, kernel, parameters, training_of(prepared))


def _run(module: nn.Module, images: Sequence[ImageU8]) -> list[NDArray[np.float32]]:
    with torch.inference_mode():
        return [module(torch.from_numpy(np.ascontiguousarray(image))[None]).numpy() for image in images]


def _image_parameters(layout: Layout, checkpoint: Checkpoint, settings: ImageSettings) -> dict[str, Scalar]:
    parameters = _parameters(layout, checkpoint) | {
        "level": "image",
        "embedding": settings.embedding,
        "normalise": settings.normalise,
        "density": settings.density,
    }
    if settings.block is not None:
        parameters |= {"block": settings.block, "block_dilation": settings.block_dilation}
    return parameters


def _parameters(layout: Layout, checkpoint: Checkpoint) -> dict[str, Scalar]:
    return {"network": layout.words, "checkpoint_sha256": checkpoint.sha256}
