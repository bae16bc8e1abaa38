"""DDAD's two graphs: one step of the conditioned denoising, and the comparison of the picture with what came out of it.

Mousakhan et al., "Anomaly Detection with Conditioned Denoising Diffusion Models", 2023: the picture is brought to a noise
level and denoised under its own guidance, so that what the network has never seen is not restored; picture and
reconstruction are compared by their pixels and by the features of a ResNet (PatchCore's 3x3 patches, Roth et al. 2022).
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

from export.nets.ddad_unet import DenoisingUNet
from export.nets.islands import cosine_distance_map, float_image, gaussian_blur, upsample
from export.nets.resnet import Resnet

BLUR_SIGMA = 4.0
BLUR_TAPS = 33
IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
BLACK = -1.0
# Of the two compared stages; the first is too local for upstream, the last is not computed.
COMPARED = (1, 2)


class DdadStep(nn.Module):
    """One step: the network's noise, bent towards the picture, then DDIM's step (Song et al. 2021). Arithmetic in float32."""

    def __init__(self, unet: DenoisingUNet) -> None:
        super().__init__()
        self.unet = unet

    def forward(
        self, xt: torch.Tensor, y0: torch.Tensor, noise: torch.Tensor, t: torch.Tensor, coef: torch.Tensor
    ) -> torch.Tensor:
        """xt, y0, noise: float32 [1, 3, H, W]; t: [1]; coef: [6], of `edge.bundle.programs.Step`. Returns the next xt."""
        kept, lost, kept_next, fresh, held, weight = (coef[index] for index in range(6))
        predicted = self.unet(xt, t)
        noisy_target = kept * y0 + lost * predicted
        guided = predicted - lost * weight * (noisy_target - xt)
        clean = (xt - guided * lost) / kept
        following: torch.Tensor = kept_next * clean + fresh * noise + held * guided
        return following


class DdadHead(nn.Module):
    """The anomaly map of a picture and its reconstruction; the features may be half, every distance is float32.

    weight: of the pixels' distance against the features', upstream's v. crop: side of the middle square outside which the
    map is 0, None for none. masks: the graph takes `keep`, and both pictures are black where it is 0 (pre-masking as the
    line-clearance study has it).
    """

    def __init__(self, features: Resnet, side: int, *, weight: float, crop: int | None, masks: bool) -> None:
        super().__init__()
        self.features = features
        self.side, self.weight, self.masks = side, weight, masks
        # As torchvision's CenterCrop rounds.
        first = 0 if crop is None else round((side - crop) / 2)
        self.scored = slice(first, side if crop is None else first + crop)

    def forward(self, image: torch.Tensor, *others: torch.Tensor) -> torch.Tensor:
        """image: uint8 [1, S, S, 3]; then keep uint8 [1, S, S] where it masks, and the reconstruction float32
        [1, 3, S, S]. Returns float32 [1, S, S].
        """
        target, output = float_image(image) * 2 - 1, others[-1]
        if self.masks:
            keep = others[0].float().unsqueeze(1)
            target, output = (picture * keep + BLACK * (1 - keep) for picture in (target, output))
        pixels = (output - target).abs().mean(1, keepdim=True)
        features = self._feature_distance(target, output)
        # Where both pictures are alike to the last bit there is nothing to scale.
        share = features.amax() / pixels.amax().clamp_min(torch.finfo(torch.float32).tiny)
        blurred = gaussian_blur(features + self.weight * share * pixels, BLUR_TAPS, BLUR_SIGMA)
        scored = blurred[:, 0, self.scored, self.scored]
        before, after = self.scored.start, self.side - self.scored.stop
        if before == after == 0:
            return scored
        # Reshaped to what it is: an exporter does not see through a pad.
        return functional.pad(scored, (before, after, before, after)).reshape(1, self.side, self.side)

    def _feature_distance(self, target: torch.Tensor, output: torch.Tensor) -> torch.Tensor:
        both = (torch.cat([target, output]) + 1) / 2
        mean, std = (both.new_tensor(values).view(1, 3, 1, 1) for values in (IMAGENET_MEAN, IMAGENET_STD))
        stages = self.features((both - mean) / std)
        total = torch.zeros_like(target[:, :1])
        for index in COMPARED:
            patches = functional.avg_pool2d(stages[index].float(), 3, 1, 1)
            distance = cosine_distance_map(patches[:1], patches[1:]).unsqueeze(1)
            total = total + upsample(distance, (self.side, self.side), align_corners=True)
        return total
