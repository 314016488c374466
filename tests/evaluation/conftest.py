from pathlib import Path

import fabricated_run
import pytest
from hydra.utils import instantiate
from omegaconf import OmegaConf

CONF = Path(__file__).parents[2] / "conf"


@pytest.fixture
def evaluation():
    """The evaluation as the shipped configuration makes it, with a fixed seed."""
    config = OmegaConf.create({"seed": 7, "evaluation": OmegaConf.load(CONF / "evaluation" / "default.yaml")})
    return instantiate(config.evaluation)


@pytest.fixture
def evaluation_settings(evaluation):
    """Arguments of an evaluation that asks for little, for tests that spoil one of them."""
    return {
        "bootstrap_samples": 200,
        "seed": 0,
        "host_runs": 1,
        "host_warmup": 0,
        "host_batches": [1],
        "neurobench_images": 1,
        "cost": evaluation.cost,
        "device": evaluation.device,
    }


@pytest.fixture
def measure(evaluation, tmp_path):
    """Measure the fabricated run into a fresh folder and return its report."""

    def run(**overrides):
        splits = fabricated_run.splits()
        logits = fabricated_run.stage_logits(splits.test.target)
        arguments = {
            "folder": tmp_path,
            "run": fabricated_run.run_info(),
            "splits": splits,
            "backbone": fabricated_run.backbone_info(),
            "quantization": fabricated_run.quantization_info(),
            "float_network": None,
            "stage_logits": logits,
            "external_logits": None,
            "conversion": fabricated_run.conversion(logits),
            "incremental": None,
            "versions": {"torch": "2.6.0"},
        }
        return evaluation.measure(**{**arguments, **overrides})

    return run


@pytest.fixture
def measure_external(measure):
    """As `measure`, with a second source; return the report and what the stages said of that source."""

    def run(**overrides):
        splits = fabricated_run.external_splits()
        said = fabricated_run.stage_logits(splits.external.images.target, seed=9)
        return measure(**{"splits": splits, "external_logits": said, **overrides}), said

    return run
