"""Small float networks as others write them: plain torch, no unit of ours, scaled inputs, any names."""

import warnings

import conversions
import torch
from torch import nn

HEIGHT, WIDTH, CLASSES = 24, 20, 4
MEAN, STD = (0.76, 0.55, 0.57), (0.14, 0.15, 0.17)


def convolution(channels, filters, *layers, **arguments):
    return nn.Sequential(
        nn.Conv2d(channels, filters, bias=False, **arguments), nn.BatchNorm2d(filters), *layers
    )


class Foreign(nn.Module):
    """Stem, depthwise and 1x1 convolution, global pool and head, in the order of one generation.

    Args:
        generation: 1 or 2.
        scales_itself: whether it takes pixels from 0 to 255, or numbers around 0.
    """

    def __init__(self, generation, *, scales_itself):
        super().__init__()
        self.generation, self.scales_itself = generation, scales_itself
        self.register_buffer("mean", torch.tensor(MEAN).view(1, 3, 1, 1))
        self.register_buffer("std", torch.tensor(STD).view(1, 3, 1, 1))
        self.stem = nn.Sequential(
            nn.ZeroPad2d((0, 1, 0, 1)), convolution(3, 8, nn.ReLU6(), kernel_size=3, stride=2)
        )
        between = [] if generation == 1 else [nn.BatchNorm2d(8), nn.ReLU6()]
        depthwise = nn.Conv2d(8, 8, 3, padding=1, groups=8, bias=False)
        self.body = nn.Sequential(depthwise, *between, convolution(8, 12, kernel_size=1))
        self.activation = nn.ReLU6()
        self.dropout = nn.Dropout(0.2)
        self.classifier = nn.Linear(12, CLASSES)

    def forward(self, x):
        if self.scales_itself:
            x = (x / 255 - self.mean) / self.std
        x = self.body(self.stem(x))
        if self.generation == 1:
            x = self.activation(x.mean((2, 3), keepdim=True))
        else:
            x = nn.functional.adaptive_avg_pool2d(self.activation(x), 1)
        return self.classifier(self.dropout(torch.flatten(x, 1)))


def settled(network, scale=(1.0, 1.0, 1.0), offset=(0.0, 0.0, 0.0)):
    """Norms that have seen images, and logits that differ between them."""
    pixels = channels_first(conversions.images(32, seed=3, height=HEIGHT, width=WIDTH), scale, offset)
    torch.manual_seed(1)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.7, 1.5)
            nn.init.uniform_(module.bias, 0.0, 0.8)
            module.momentum = 1.0
    with torch.no_grad():
        network.train()(pixels)
        logits = network.eval()(pixels)
        network.classifier.weight.div_(logits.std(0).mean())
        network.classifier.bias.sub_(logits.mean(0)).div_(logits.std(0).mean())
    return network


def channels_first(images, scale=(1.0, 1.0, 1.0), offset=(0.0, 0.0, 0.0)):
    """What a network is fed: (N, 3, H, W) floats."""
    factors, summands = (torch.tensor(values).view(1, 3, 1, 1) for values in (scale, offset))
    return torch.from_numpy(images).permute(0, 3, 1, 2).float() * factors + summands


def export(network, path, **arguments):
    """As torch's older exporter writes it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            network.eval(), (torch.zeros(1, 3, HEIGHT, WIDTH),), str(path), dynamo=False, **arguments
        )
    return path
