from pathlib import Path

import pytest
from hydra.utils import instantiate
from omegaconf import OmegaConf

from qana import dataset

FOLDER = Path(__file__).parents[2] / "conf" / "dataset"
SOURCES = {
    "clinical": dataset.Clinical,
    "dermamnist": dataset.DermaMnist,
    "ham10000": dataset.Ham10000,
    "isic2018": dataset.Isic2018,
    "synthetic": dataset.SyntheticDermoscopy,
}


def test_every_config_is_listed_here():
    assert {path.stem for path in FOLDER.glob("*.yaml")} == set(SOURCES)


@pytest.mark.parametrize("name", SOURCES)
def test_config_builds_its_source_with_the_seed_of_the_run(name):
    config = OmegaConf.create({"seed": 7, "dataset": OmegaConf.load(FOLDER / f"{name}.yaml")})
    source = instantiate(config.dataset)
    assert type(source) is SOURCES[name]
    assert source.seed == 7


def test_data_root_follows_the_environment(monkeypatch, tmp_path):
    monkeypatch.setenv("QANA_DATA_DIR", str(tmp_path))
    config = OmegaConf.create({"seed": 0, "dataset": OmegaConf.load(FOLDER / "ham10000.yaml")})
    assert instantiate(config.dataset).root == str(tmp_path / "ham10000")
