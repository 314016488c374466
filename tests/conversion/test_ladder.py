"""Whatever ends a conversion, the model files and what the stages said until then are kept."""

import numpy as np
import pytest

from qana.conversion.ladder import LEFT_BEHIND, job_folder, stages_left_behind


def fill(job, *names):
    for index, name in enumerate(names):
        if name.endswith(".npy"):
            np.save(job / name, np.full((2, 3), index, np.float32))
        else:
            (job / name).write_text(name)


def test_failed_conversion_leaves_what_there_is(tmp_path):
    def fail():
        with job_folder(tmp_path) as job:
            fill(job, "onnx.npy", "torch.npy", "images.npy", "model.onnx", "model.h5", "layers.json")
            raise RuntimeError("the end")

    with pytest.raises(RuntimeError, match="the end"):
        fail()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model.h5", "model.onnx", LEFT_BEHIND]
    stages = stages_left_behind(tmp_path)
    assert list(stages) == ["torch", "onnx"]
    assert (stages["torch"] == 1).all()
    assert (tmp_path / LEFT_BEHIND / "layers.json").exists()


def test_accepted_conversion_leaves_no_stages_and_takes_old_ones_away(tmp_path):
    (tmp_path / LEFT_BEHIND).mkdir()
    fill(tmp_path / LEFT_BEHIND, "onnx.npy")
    with job_folder(tmp_path) as job:
        fill(job, "onnx.npy", "model.fbz")
    assert [path.name for path in tmp_path.iterdir()] == ["model.fbz"]
    assert stages_left_behind(tmp_path) == {}
