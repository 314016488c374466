"""Before a training, the untrained network is taken to the chip, unless the config says otherwise."""

from pathlib import Path

import planted_networks
import pytest
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate

from qana.conversion.rehearsal import rehearse
from qana.errors import QanaError

CONF = Path(__file__).parents[2] / "conf"
SHAPE = (32, 32, 3)


def stages(*overrides):
    with initialize_config_dir(str(CONF), version_base=None):
        config = compose("config", overrides=list(overrides))
        return instantiate(config.conversion), instantiate(config.quantization)


def too_wide():
    """The capability table lets it pass: only the mapping knows how many processors a network takes."""
    return planted_networks.TooWide(num_classes=7, form="separable")


def test_network_that_does_not_fit_is_refused_before_training():
    target, quantization = stages()
    network = too_wide()
    target.check(network, quantization, SHAPE)
    with pytest.raises(QanaError, match=r"before training: .* does not fit AKD1000") as refusal:
        rehearse(target, network, quantization, SHAPE)
    assert refusal.value.fix.endswith("conversion.dry_run=false trains it all the same")


@pytest.mark.parametrize("chosen", ["conversion.dry_run=false", "conversion=none"])
def test_nothing_is_tried_where_none_is_asked_for(chosen):
    target, quantization = stages(chosen)
    rehearse(target, too_wide(), quantization, SHAPE)
