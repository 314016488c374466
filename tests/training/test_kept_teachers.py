import json

import pytest
import torch
import yaml
from small_training import fit

from qana.training.earlier_run import CHECKPOINT
from qana.training.kept_teachers import TEACHERS, keep_teachers, kept_teachers, teacher_tags
from qana.training.teacher import load_teacher

BACKBONE = {
    "_target_": "qana.backbone.AkidaNet",
    "form": "separable",
    "width_multiplier": 1.0,
    "stem_channels": 4,
    "conv_widths": [8, 8],
    "separable_widths": [12, 16],
    "activation_bound": 4.0,
}


def recorded(seed, **training):
    data = {"_target_": "Source", "image_size": 16, "seed": seed, "fold": seed}
    return {"seed": seed, "dataset": data, "backbone": BACKBONE, "training": training, "name": f"of-{seed}"}


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Folders of two runs as they leave them: seed 0 and seed 1."""
    folders = []
    for seed in (0, 1):
        folder = tmp_path_factory.mktemp("run")
        fit(folder, name="akidanet", float_epochs=1 + seed)
        (folder / "config.yaml").write_text(yaml.safe_dump(recorded(seed, float_epochs=3)))
        (folder / "split.json").write_text(json.dumps({"hash": "1" * 64}))
        folders.append(folder)
    return folders


def test_kept_teachers_say_what_the_ones_named_said(trained, tmp_path):
    named = recorded(0, teacher=[str(folder) for folder in trained])
    keep_teachers(named, tmp_path)
    kept = recorded(0, teacher=kept_teachers(tmp_path / TEACHERS))
    assert kept["training"]["teacher"] == [str(tmp_path / "teachers/00"), str(tmp_path / "teachers/01")]
    images = torch.rand(5, 3, 16, 16, generator=torch.Generator().manual_seed(0)) * 255
    with torch.no_grad():
        one, other = (load_teacher(config, 3, "1" * 64)(images) for config in (named, kept))
    torch.testing.assert_close(one, other, rtol=0, atol=0)
    assert (tmp_path / "teachers/00" / CHECKPOINT).stat().st_size < (
        trained[0] / CHECKPOINT
    ).stat().st_size / 2


def test_one_teacher_is_kept_too_and_none_leaves_nothing(trained, tmp_path):
    keep_teachers(recorded(0, teacher=str(trained[1])), tmp_path / "one")
    assert [path.name for path in (tmp_path / "one/teachers").iterdir()] == ["00"]
    keep_teachers(recorded(0, teacher=None), tmp_path / "none")
    assert not (tmp_path / "none").exists()


def test_tag_names_the_experiment_of_a_teacher_and_not_its_seed(trained, tmp_path):
    zero, one = (teacher_tags(recorded(0, teacher=str(folder))) for folder in trained)
    assert zero == one
    assert zero["taught_by"].startswith("AkidaNet ")
    (tmp_path / "checkpoints").mkdir()
    for name in ("split.json", CHECKPOINT):
        (tmp_path / name).write_bytes((trained[0] / name).read_bytes())
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(recorded(0, float_epochs=4)))
    assert teacher_tags(recorded(0, teacher=str(tmp_path))) != zero
    assert teacher_tags(recorded(0, teacher=None)) == {}
