"""What each target runs, as data, and every place where a network asks for something else."""

from qana.conversion.capabilities.capabilities import Capabilities
from qana.conversion.capabilities.devices import DEVICES, NODE_COUNTS, DeviceTable, device_table
from qana.conversion.capabilities.offence import Offence
from qana.conversion.capabilities.table import GENERATIONS, GenerationTable, LayerTable, Limit

__all__ = [
    "DEVICES",
    "GENERATIONS",
    "NODE_COUNTS",
    "Capabilities",
    "DeviceTable",
    "GenerationTable",
    "LayerTable",
    "Limit",
    "Offence",
    "device_table",
]
