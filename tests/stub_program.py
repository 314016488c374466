"""A copy of the command line with a small config tree and a pipeline that ends at once."""

import os
import shutil
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from empty_store import make_store
from mlflow.tracking import MlflowClient

import qana
from qana.command.composition import config_directory

LIMIT_S = 300  # of a machine that has other work
CONF = {
    "config": """
        defaults:
          - dataset: tiny
          - backbone: narrow
          - quantization: w4a4
          - conversion: chip
          - training: cpu
          - evaluation: default
          - tracking: local
          - _self_
          - experiment: null
        name: ${hydra:runtime.choices.backbone}-${hydra:runtime.choices.quantization}
        seed: 0
        output_dir: ${hydra:runtime.output_dir}
        hydra:
          job: {name: qana}
          run: {dir: "outputs/${now:%H-%M-%S-%f}"}
          sweep: {dir: "multirun/${now:%H-%M-%S-%f}", subdir: "${hydra.job.num}"}
        """,
    "dataset/tiny": "{_target_: stages.Dataset, root: null}",
    "dataset/folder": '{_target_: stages.Dataset, root: "???"}',
    "backbone/narrow": "{_target_: stages.Backbone, width: 8}",
    "backbone/wide": "{_target_: stages.Backbone, width: 64}",
    "quantization/w4a4": "{_target_: stages.Quantization, bits: 4}",
    "quantization/w8a8": "{_target_: stages.Quantization, bits: 8}",
    "conversion/chip": "null",
    "training/cpu": "{_target_: stages.Training, max_epochs: 3, learning_rate: 0.1, seed: '${seed}'}",
    "evaluation/default": "null",
    "tracking/local": """
        _target_: qana.tracking.mlflow_tracking.MlflowTracking
        uri: null
        root: qana_runs
        experiment: cli
        system_metrics: false
        """,
    "tracking/server": """
        _target_: qana.tracking.mlflow_tracking.MlflowTracking
        uri: ${oc.env:MLFLOW_TRACKING_URI}
        root: null
        experiment: cli
        system_metrics: false
        """,
    "experiment/wide_short": """
        # @package _global_
        defaults:
          - override /backbone: wide
        training: {max_epochs: 1}
        """,
}
STAGES = """
    import os
    import pathlib
    import signal
    import time
    from qana.errors import QanaError

    class Dataset:
        def __init__(self, *, root: str | None) -> None:
            if root is not None:
                where = f"dataset.root = {root}"
                raise QanaError(f"no folder {root}", where=where, allowed="a folder", fix="mkdir")

    class Backbone:
        def __init__(self, *, width: int, num_classes: int) -> None:
            self.width = width

    class Quantization:
        def __init__(self, *, bits: int) -> None:
            self.bits = bits

    class Training:
        def __init__(self, *, max_epochs: int, learning_rate: float, seed: int) -> None:
            self.score = 1 - abs(learning_rate - 0.3) + seed / 1000  # best at 0.3
            if learning_rate == 13:
                raise RuntimeError("diverged")
            if learning_rate == 99 and not pathlib.Path("awake").exists():
                print("training", flush=True)
                time.sleep(60)
            if learning_rate == 9:
                os.kill(os.getpid(), signal.SIGKILL)
            if learning_rate in (51, 52):
                meet(learning_rate)

    def meet(name: float) -> None:
        # Waits for the other of two jobs: one after the other, they would not meet.
        folder = pathlib.Path("meeting")
        folder.mkdir(exist_ok=True)
        (folder / str(name)).write_text(str(os.getpid()))
        give_up_s = time.monotonic() + 60
        while len(list(folder.iterdir())) < 2:
            if time.monotonic() > give_up_s:
                raise RuntimeError("nobody came")
            time.sleep(0.05)
"""
PIPELINE = """
    import os, sys, types
    from pathlib import Path
    import qana.command.composition
    from hydra.core.hydra_config import HydraConfig
    from hydra.utils import instantiate
    from omegaconf import OmegaConf
    from qana.provenance import config_hash

    def run(cfg):
        instantiate(cfg.dataset)
        if cfg.name == "untracked":
            return train(cfg)  # without MLflow, which takes seconds to import
        from qana.tracking.sweep import parent_run_id
        width = instantiate(cfg.backbone, num_classes=7).width
        bits = instantiate(cfg.quantization).bits
        params = OmegaConf.to_container(cfg, resolve=True)
        tags = {"overrides": " ".join(HydraConfig.get().overrides.task), "config_hash": config_hash(params)}
        tracking = instantiate(cfg.tracking)
        with tracking.run(cfg.name, params=params, tags=tags, parent=parent_run_id()) as tracked:
            report = train(cfg)
            Path(cfg.output_dir, "report.json").write_text("{}")
            tracked.log_metrics({"akida/accuracy": width / 128, "akida/macro_f1": bits / 128})
            print("ran", cfg.name, width, bits, cfg.training.max_epochs, sys.argv[1:])
            return report

    def train(cfg):
        score = instantiate(cfg.training).score
        if "QANA_STUDY" in os.environ:
            from qana.search.epoch_scores import report_epoch
            for epoch in range(cfg.training.max_epochs):
                report_epoch(score + epoch / 100)
        energy = {"value": cfg.backbone.width}
        scored = {"macro_f1": score}
        return {"stages": {"akida": scored}, "validation": scored, "cost": {"energy_mj": energy}}

    pipeline = types.ModuleType("qana.run")
    pipeline.run, pipeline.SUPPLIED = run, {"backbone": {"num_classes"}}
    sys.modules["qana.run"] = pipeline
    # No network here, so no torch: importing it takes longer than the rest of the command.
    without_torch = types.ModuleType("qana.backbone.timm_import")
    without_torch.import_torchvision = lambda: None
    sys.modules["qana.backbone.timm_import"] = without_torch
    qana.command.composition.config_directory = lambda: Path(__file__).parent / "conf"
    from qana.cli import main
    main()
"""


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    """A copy of the command line with a small config tree and a pipeline that ends at once."""
    folder = tmp_path_factory.mktemp("program")
    for name, text in CONF.items():
        path = folder / "conf" / f"{name}.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text))
    shutil.copytree(config_directory() / "hydra", folder / "conf" / "hydra")
    (folder / "stages.py").write_text(textwrap.dedent(STAGES))
    (folder / "program.py").write_text(textwrap.dedent(PIPELINE))
    return folder / "program.py"


@pytest.fixture
def store(tmp_path):
    make_store(tmp_path)


@pytest.fixture
def start(program, tmp_path):
    path = os.pathsep.join([str(program.parent), str(Path(qana.__file__).parents[1])])

    def start_program(*arguments):
        return subprocess.Popen(
            [sys.executable, str(program), *arguments],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": path},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            # A suite that runs in the background of a shell ignores SIGINT, and its children would too.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )

    return start_program


@pytest.fixture
def type_in(start):
    """Type a command; gives (exit code, stdout, stderr)."""

    def run_program(*arguments):
        child = start(*arguments)
        try:
            out, err = child.communicate(timeout=LIMIT_S)
        finally:
            child.terminate()  # of no effect on one that has ended
        return child.returncode, out, err

    return run_program


def parts(error):
    """The four parts of the only message on stderr."""
    what, rest = error.split("\n  where:   ")
    where, rest = rest.split("\n  allowed: ")
    allowed, fix = rest.split("\n  fix:     ")
    return what, where, allowed, fix.rstrip("\n")


def runs(folder):
    client = MlflowClient(tracking_uri=f"sqlite:///{folder}/qana_runs/mlflow.db")
    return client.search_runs([client.get_experiment_by_name("cli").experiment_id])
