"""What a run leaves in MLflow. The only package that imports it, and last in the flow before the commands."""

import os

# Nothing leaves this machine unless the user asks for it.
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
# The terminal belongs to the progress of a run; fetching three small files needs none of its own.
os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
