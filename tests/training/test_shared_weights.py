"""A symmetric network is still one after both phases of a training, averages included."""

import pytest
import torch
from pytorch_lightning.loggers import CSVLogger
from small_networks import small_network
from small_training import Witness, augmentation, fine_tuning, quantization, splits, training

from qana.backbone.symmetry import moved


def fitted(folder, symmetry, **changes):
    """The best float network of a training, and its quantized one."""
    chosen, witness = (
        training(
            augmentation=augmentation(),
            float_epochs=12,
            learning_rate=0.005,
            quantized_learning_rate=0.0005,
            **changes,
        ),
        Witness(),
    )
    chosen.seed_everything()
    network = small_network(
        "qana",
        "separable",
        stem_channels=8,
        stem_pool="max",
        widths=[16, 32],
        depths=[1, 1],
        features=64,
        ghost_attention="none",
        transition_attention="none",
        symmetry=symmetry,
    )
    chosen.fit(
        network,
        splits(),
        quantization=quantization(),
        callbacks=[witness],
        logger=CSVLogger(folder, name="log"),
        folder=folder,
    )
    return network.eval(), witness.module.network.eval()


def changed_by_turning(network):
    """Largest change of a logit under the seven other orientations, and how far images are apart."""
    images = torch.from_numpy(splits().test.images).permute(0, 3, 1, 2).float()
    with torch.no_grad():
        upright = network(images)
        moves = [float((network(moved(images, element)) - upright).abs().max()) for element in range(1, 8)]
    return moves, float(upright.std(0).min())


@pytest.mark.parametrize("averaging", ["none", "ema"])
def test_both_phases_keep_the_symmetry(tmp_path, averaging):
    network, quantized = fitted(
        tmp_path, "dihedral", float_averaging=averaging, fine_tuning=fine_tuning(averaging=averaging)
    )
    moves, apart = changed_by_turning(network)
    assert apart > 0.1
    assert max(moves) < 1e-4
    moves, apart = changed_by_turning(quantized)
    assert apart > 0.1
    assert max(moves) == 0.0


def test_without_it_orientations_differ(tmp_path):
    _, quantized = fitted(tmp_path, "none")
    moves, _ = changed_by_turning(quantized)
    assert min(moves) > 0.0
