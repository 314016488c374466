"""Runs as a store would give them, with numbers chosen by hand."""

from qana.comparison.result import Result


def result(run_id, *, seed=0, f1=0.5, started=0, **changes):
    """A finished run; `changes` are parameters (``__`` for the dot), or energy=, tags=, dataset=, status=."""
    energy, tags = changes.pop("energy", None), changes.pop("tags", {})
    dataset, status = changes.pop("dataset", "ham10000"), changes.pop("status", "FINISHED")
    params = {"seed": str(seed), "dataset.seed": str(seed), "training.seed": str(seed), "name": run_id}
    params |= {"backbone._target_": "qana.backbone.Qana", "conversion.name": "akd1000"}
    params |= {key.replace("__", "."): str(value) for key, value in changes.items()}
    metrics = {"akida/macro_f1": f1, "akida/accuracy": f1 + 0.1}
    metrics |= {"akida/ci95/macro_f1/low": f1 - 0.05, "akida/ci95/macro_f1/high": f1 + 0.05}
    if energy is not None:
        metrics |= {
            "akida/energy_mj": energy,
            "akida/energy_mj_low": energy / 2,
            "akida/energy_mj_high": energy * 2,
        }
        tags = {"akida/energy_mj": "modelled", **tags}
    tags = {"config_hash": f"{sorted(params.items())}", "split_hash": "s", **tags}
    return Result(run_id, run_id, status, started, params, metrics, tags, dataset)
