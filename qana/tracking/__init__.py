"""What a run leaves in MLflow. The only package that imports it, and last in the flow before the commands."""

import os

# Nothing leaves this machine unless the user asks for it.
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
