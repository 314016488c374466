"""Who feeds whom among planned layers."""

from __future__ import annotations

from collections.abc import Sequence

from qana.conversion.onnx_to_keras.layer import Layer

WEIGHTED = ("Conv2D", "DepthwiseConv2D", "SeparableConv2D", "Dense")


class LayerChain:
    """Planned layers with their neighbours.

    Args:
        layers: in order.
        pixels: name of the image input.
    """

    def __init__(self, layers: Sequence[Layer], pixels: str) -> None:
        self.layers, self.pixels = list(layers), pixels
        self._makers = {layer.output: layer for layer in layers}

    def maker(self, layer: Layer, index: int = 0) -> Layer | None:
        """The layer whose output is input `index`; None for the image."""
        return self._makers.get(layer.inputs[index])

    def is_first(self, layer: Layer) -> bool:
        """Whether the layer reads the image."""
        return self.pixels in layer.inputs

    def readers(self, layer: Layer) -> list[Layer]:
        """The layers that read the output."""
        return [reader for reader in self.layers if layer.output in reader.inputs]

    def only_reader(self, layer: Layer) -> Layer | None:
        """The layer that alone reads the output; None for none or several."""
        readers = self.readers(layer)
        return readers[0] if len(readers) == 1 else None

    def block_head(self, layer: Layer, passing: Sequence[str]) -> Layer | None:
        """The nearest layer before `layer` whose kind is not among `passing`."""
        before = self.maker(layer)
        while before is not None and before.kind in passing:
            before = self.maker(before)
        return before
