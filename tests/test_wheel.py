"""The wheel brings its configs along: installed by itself, away from the checkout, it runs an experiment."""

import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """A fresh environment with the wheel in it; dependencies are borrowed, the checkout is out of reach."""
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder)]
    subprocess.run([*build, str(PROJECT)], check=True, capture_output=True)
    (wheel,) = folder.glob("qana-*.whl")
    environment = folder / "environment"
    venv.create(environment, with_pip=False)
    packages = next(environment.glob("lib/python*/site-packages"))
    # A path listed in a .pth file has its own .pth files ignored: the link to the checkout stays behind.
    (packages / "borrowed.pth").write_text(sysconfig.get_path("purelib") + "\n")
    python = environment / "bin" / "python"
    install = [sys.executable, "-m", "pip", "--python", str(python), "install", "--no-deps", "--no-index"]
    subprocess.run([*install, str(wheel)], check=True, capture_output=True)
    return environment


def test_wheel_runs_an_experiment_with_its_own_configs(installed, tmp_path):
    arguments = [
        "training=debug",
        "conversion=none",
        "dataset.images=105",
        "dataset.image_size=32",
        "evaluation.bootstrap_samples=100",
        "backbone.widths=[8,8]",
        "backbone.depths=[1,1]",
    ]
    command = [str(installed / "bin" / "qana"), "run", *arguments]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert next(tmp_path.glob("outputs/*/*/report.json")).exists()
    where = [str(installed / "bin" / "python"), "-c", "import qana; print(qana.__file__)"]
    place = subprocess.run(where, cwd=tmp_path, capture_output=True, text=True, check=True).stdout
    assert place.startswith(str(installed))
