"""One job of a sweep, packed so that another process can run it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hydra.core.singleton import Singleton
from hydra.core.utils import JobReturn, run_job, setup_globals
from hydra.types import HydraContext
from omegaconf import DictConfig

from qana.backbone.timm_import import import_torchvision

if TYPE_CHECKING:
    from qana.command.jobs import Jobs

# The process that unpacks a job imports this module first, then the task, and with it Lightning.
import_torchvision()

# A process on another machine, or one that was there before, has an environment of its own.
_CARRIED = ("HYDRA_FULL_ERROR", "MLFLOW_TRACKING_URI", "OMP_WAIT_POLICY", "TF_CPP_MIN_LOG_LEVEL")
_CARRIED_PREFIXES = ("QANA_", "TF_USE_LEGACY")


def environment_to_carry() -> dict[str, str]:
    """What a job reads from the environment: the parent run of its sweep, and settings of packages."""
    return {
        key: text for key, text in os.environ.items() if key in _CARRIED or key.startswith(_CARRIED_PREFIXES)
    }


@dataclass(frozen=True)
class RemoteJob:
    """A job with all that it needs; calling it runs it.

    Attributes:
        overrides: of the job, without Hydra's own.
        config: composed, Hydra's node included. Composed here, as the YAML files may not be there.
        context: Hydra's callbacks.
        jobs: the task.
        singletons: Hydra's own state, with its resolvers.
        folder: the current one, which relative paths start from.
        environment: variables to set.
    """

    overrides: str
    config: DictConfig
    context: HydraContext
    jobs: Jobs
    singletons: Any
    folder: str
    environment: Mapping[str, str]

    def __call__(self) -> JobReturn:
        """Run the job in this process."""
        os.chdir(self.folder)
        os.environ.update(self.environment)
        Singleton.set_state(self.singletons)
        setup_globals()
        return run_job(
            hydra_context=self.context,
            config=self.config,
            task_function=self.jobs.elsewhere,
            job_dir_key="hydra.sweep.dir",
            job_subdir_key="hydra.sweep.subdir",
        )
