"""The networks of PIADE, for checkpoints that its project wrote.

Mishra, Piciarelli and Foresti, "Image Anomaly Detection by Aggregating Deep Pyramidal Representations", ICPR 2020 workshops;
squeeze-and-excitation after each stage: Hu, Shen and Sun, CVPR 2018. Written here from the papers and the checkpoints' keys.
The network takes 120 x 120 pixels and nothing else. Routing, SSIM and the score are float32.
"""

from __future__ import annotations

import torch
from torch import nn

from export.nets.capsules import Votes, longest, route
from export.nets.framing import framed
from export.nets.islands import float_image, ssim_map
from export.nets.piade_shape import CAPSULE, FEATURE_SIDE, PiadeShape
from export.nets.resnet import Resnet
from export.nets.transposed import TransposedDecoder

ROUTINGS = 3
# kernel, stride, padding of the decoder's steps: 8 -> 15 -> 29 -> 60 -> 120
DECODER = ((3, 2, 1), (3, 2, 1), (4, 2, 0), (4, 2, 1))


class _SqueezeExcite(nn.Module):
    """Each channel scaled by what the means of all channels say; the means are float32."""

    def __init__(self, channels: int, squeezed: int) -> None:
        super().__init__()
        steps = (nn.Linear(channels, squeezed, bias=False), nn.ReLU(), nn.Linear(squeezed, channels, bias=False), nn.Sigmoid())
        self.fc = nn.Sequential(*steps)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        means = x.float().mean((2, 3)).to(x.dtype)
        scaled: torch.Tensor = x * self.fc(means)[:, :, None, None]
        return scaled


class _Pool(nn.Module):
    """One level of the pyramid: the mean of every channel, mixed."""

    def __init__(self, given: int, out: int) -> None:
        super().__init__()
        self.features = nn.Sequential(nn.Identity(), nn.Conv2d(given, out, 1, bias=False), nn.BatchNorm2d(out), nn.ReLU())

    def forward(self, mean: torch.Tensor) -> torch.Tensor:
        """[1, given, 1, 1] to capsules [1, out / 8, 8] float32."""
        result: torch.Tensor = self.features(mean)
        return result.float().reshape(1, -1, CAPSULE)


class _Middle(nn.Module):
    """From one capsule to feature maps."""

    def __init__(self, capsule: int, hidden: tuple[int, ...]) -> None:
        super().__init__()
        first, second, out = hidden
        self.decoder1 = nn.Sequential(
            nn.Linear(capsule, first),
            nn.BatchNorm1d(first),
            nn.ReLU(),
            nn.Linear(first, second),
            nn.BatchNorm1d(second),
            nn.ReLU(),
            nn.Linear(second, out),
            nn.ReLU(),
        )

    def forward(self, capsule: torch.Tensor) -> torch.Tensor:
        result: torch.Tensor = self.decoder1(capsule)
        return result


class Pyramid(nn.Module):
    """`Mvtech_*.pt`: [1, 3, 120, 120] in 0..1 to its reconstruction of the same shape."""

    def __init__(self, shape: PiadeShape) -> None:
        super().__init__()
        self.shape = shape
        self.resnet = Resnet(shape.resnet)
        channels = (shape.resnet.stem, *shape.resnet.out)
        for index, (width, squeezed) in enumerate(zip(channels, shape.squeezed, strict=True)):
            setattr(self, f"se{index + 1}", _SqueezeExcite(width, squeezed))
        for letter, out in zip("abcd", shape.pools, strict=True):
            setattr(self, f"layer5{letter}", _Pool(channels[-1], out))
        self.D1 = Votes(shape.classes, shape.lower, shape.capsule, CAPSULE, name="W")
        self.if_ = _Middle(shape.capsule, shape.hidden)
        self.final = TransposedDecoder(shape.decoder, DECODER)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """The reconstruction."""
        net = self.resnet
        x = net.maxpool(torch.relu(net.bn1(net.conv1(image))))
        x = self.get_submodule("se1")(x)
        for index in (1, 2, 3, 4):
            x = self.get_submodule(f"se{index + 1}")(net.get_submodule(f"layer{index}")(x))
        mean = x.float().mean((2, 3), keepdim=True).to(x.dtype)
        lower = torch.cat([self.get_submodule(f"layer5{letter}")(mean) for letter in "abcd"], 1)
        capsule = longest(route(self.D1(lower), ROUTINGS)).sum(1)
        middle = self.if_(capsule).reshape(1, -1, FEATURE_SIDE, FEATURE_SIDE)
        made: torch.Tensor = self.final(torch.cat((x, middle.to(x.dtype)), 1).reshape(1, -1, 8, 8))
        return made.float()


class Perception(nn.Module):
    """The first layers of VGG-11 (Simonyan and Zisserman, 2015), under torchvision's keys: conv, ReLU, halving, conv.

    Given 0..1 without ImageNet's normalisation, as upstream does.
    """

    def __init__(self, first: int = 64, second: int = 128) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(3, first, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(first, second, 3, padding=1)
        )

    def forward(self, made: torch.Tensor, shown: torch.Tensor) -> torch.Tensor:
        """Mean squared difference of the features of two [1, 3, H, W]: a float32 scalar."""
        pair: torch.Tensor = self.features(torch.cat((made, shown))).float()
        return (pair[0] - pair[1]).square().mean()


class Piade(nn.Module):
    """Image to score: mse - ssim + perceptual difference between the image and its reconstruction.

    image: uint8 [1, 120, 120, 3] RGB. Returns the score [1], float32.
    """

    def __init__(self, network: Pyramid, perception: Perception) -> None:
        super().__init__()
        self.network, self.perception = network, perception

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """The score."""
        shown = float_image(image)
        made = self.network(shown)
        # Upstream's SSIM sees black beyond the border.
        alike = ssim_map(framed(shown, 5), framed(made, 5), border=None).mean()
        score: torch.Tensor = (made - shown).square().mean() - alike + self.perception(made, shown)
        return score.reshape(1)
