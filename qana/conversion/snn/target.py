"""What `conversion=snn` chooses: no chip, but the float network as a spiking one, simulated in torch."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from qana.backbone.complexity import layer_complexity
from qana.backbone.network import Network
from qana.backbone.symmetry import require_upright
from qana.console import progress
from qana.conversion.snn.balance import balanced_thresholds
from qana.conversion.snn.checks import require_convertible, require_float, require_simulable
from qana.conversion.snn.network import SpikingNetwork
from qana.conversion.snn.product import Spiking, SpikingLayer
from qana.conversion.snn.simulation import Readings, simulate
from qana.dataset.splits import Images
from qana.quantization.scheme import Quantization


class SnnTarget:
    """The float network as rate-coded integrate-and-fire neurons (Rueckauer et al. 2016, arXiv:1612.04052).

    Args:
        name: ``snn``.
        generation: of Akida; of no effect here, because nothing is quantized.
        form: which form of a backbone to build.
        percentile: of each layer's activations that becomes its threshold, above 0, to 100.
        calibration_images: training images on which the activations are seen.
        initial_potential: of every neuron, as a share of its threshold, 0 to below 1.
        time_steps: numbers of steps after which the network is read, ascending; the last one's answer is the
            stage ``snn``.
        batch_size: images that are simulated together.
        seed: of the draw of the calibration images.
    """

    def __init__(
        self,
        *,
        name: str,
        generation: int,
        form: str,
        percentile: float,
        calibration_images: int,
        initial_potential: float,
        time_steps: Sequence[int],
        batch_size: int,
        seed: int,
    ) -> None:
        require_simulable(
            percentile=percentile,
            calibration_images=calibration_images,
            initial_potential=initial_potential,
            time_steps=time_steps,
            batch_size=batch_size,
        )
        self.name, self.generation, self.form = name, generation, form
        self.percentile, self.calibration_images = percentile, calibration_images
        self.initial_potential, self.time_steps = initial_potential, tuple(time_steps)
        self.batch_size, self.seed = batch_size, seed

    def check(
        self, network: Network, quantization: Quantization | None, image_shape: tuple[int, int, int]
    ) -> None:
        """Refuse, before any training, what cannot become a spiking network.

        Args:
            network: the float network as it will be trained.
            quantization: has to be None.
            image_shape: (H, W, 3); any, but for a symmetric network.

        Raises:
            QanaError: a quantized run, parts that no neuron stands for, of which every one is named, or
                images on which a symmetric network would not be symmetric.
        """
        require_upright(network, image_shape)
        require_float(self.name, quantization)
        require_convertible(self.name, network, folded=False)

    def convert(self, network: Network, *, training: Images, images: NDArray[np.uint8]) -> Spiking:
        """Make a spiking network, and let it look at the images for as many steps as asked.

        Args:
            network: the trained float network, folded; on the CPU.
            training: (M, H, W, 3) uint8, the training split, for the thresholds.
            images: (N, H, W, 3) uint8, the test split.

        Raises:
            QanaError: a quantized network, one that is not folded, or parts that no neuron stands for.
        """
        require_convertible(self.name, network, folded=True)
        seen = self._calibration(training)
        thresholds = balanced_thresholds(network, seen, self.percentile)
        spiking = SpikingNetwork(network, thresholds, self.initial_potential)
        steps = self.time_steps
        with progress(f"spike for {steps[-1]} time steps", total=len(images)) as advance:
            readings = simulate(
                spiking, images, time_steps=steps, batch_size=self.batch_size, advance=advance
            )
        height, width, channels = images.shape[1:]
        return self._product(spiking, readings, network, (height, width, channels), len(seen))

    def _calibration(self, training: Images) -> torch.Tensor:
        """Images drawn from the training side, (M, 3, H, W), float holding 0 to 255."""
        generator = torch.Generator().manual_seed(self.seed)
        rows = torch.randperm(len(training), generator=generator)[: self.calibration_images]
        drawn = torch.from_numpy(np.asarray(training[rows.sort().values.numpy()]))
        return drawn.permute(0, 3, 1, 2).float().contiguous()

    def _product(
        self,
        spiking: SpikingNetwork,
        readings: Readings,
        network: Network,
        image_shape: tuple[int, int, int],
        seen: int,
    ) -> Spiking:
        known = {layer.module: layer for layer in layer_complexity(network, image_shape, activation_bits=32)}
        layers = [
            SpikingLayer(
                name=layer.name,
                kind=known[layer.name].kind,
                neurons=layer.neurons,
                threshold=layer.threshold,
                spikes=readings.spikes[layer.name],
                synops=readings.synops[layer.name],
            )
            for layer in spiking.layers
        ]
        return Spiking(
            target=self.name,
            percentile=self.percentile,
            calibration_images=seen,
            initial_potential=self.initial_potential,
            time_steps=self.time_steps,
            logits_over_time=readings.logits,
            layers=tuple(layers),
            input_macs=known[layers[0].name].macs,
        )
