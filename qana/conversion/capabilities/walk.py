"""Run a network once and write down what every module saw, gave and called."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode, resolve_name


@dataclass(frozen=True)
class FunctionCall:
    """A torch function that a module called itself, outside its children.

    Attributes:
        module: the caller.
        name: such as ``sigmoid`` or ``pad``.
        arguments: everything but tensors.
        tensors: how many tensors it was given.
    """

    module: nn.Module
    name: str
    arguments: tuple[Any, ...]
    tensors: int


@dataclass
class Walk:
    """What one image showed.

    Attributes:
        inputs: module to the shape of its first input.
        outputs: module to the shape of its output, where that is one tensor.
        several: module to the number of its outputs, where that is not one tensor.
        calls: module to how often it ran.
        functions: what modules called themselves, in order.
        failure: why the network did not run to its end, or None.
    """

    inputs: dict[nn.Module, torch.Size] = field(default_factory=dict)
    outputs: dict[nn.Module, torch.Size] = field(default_factory=dict)
    several: dict[nn.Module, int] = field(default_factory=dict)
    calls: dict[nn.Module, int] = field(default_factory=dict)
    functions: list[FunctionCall] = field(default_factory=list)
    failure: str | None = None


def walk(network: nn.Module, image_shape: tuple[int, int, int]) -> Walk:
    """Run `network` on one black image in evaluation mode; its mode and weights are left as they were.

    Args:
        network: takes pixels (N, 3, H, W).
        image_shape: (H, W, 3).
    """
    seen, running = Walk(), [network]
    hooks = [hook for module in network.modules() for hook in _hooks(module, seen, running)]
    modes = {module: module.training for module in network.modules()}
    image = torch.zeros(1, image_shape[2], *image_shape[:2])
    try:
        with torch.no_grad(), _Functions(seen, running):
            network.eval()(image)
    except (
        RuntimeError,
        ValueError,
        TypeError,
        AttributeError,
        IndexError,
        KeyError,
        AssertionError,
    ) as error:
        seen.failure = f"{type(error).__name__}: {error}".splitlines()[0]
    finally:
        for module, training in modes.items():
            module.training = training
        for hook in hooks:
            hook.remove()
    return seen


class _Functions(TorchFunctionMode):
    """Notes every torch function under the module that is running."""

    def __init__(self, seen: Walk, running: list[nn.Module]) -> None:
        super().__init__()
        self._seen, self._running = seen, running

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        name = (resolve_name(func) or getattr(func, "__name__", "")).rpartition(".")[2]
        arguments = (*args, *(kwargs or {}).values())
        plain = tuple(argument for argument in arguments if not isinstance(argument, Tensor))
        self._seen.functions.append(FunctionCall(self._running[-1], name, plain, len(arguments) - len(plain)))
        return func(*args, **(kwargs or {}))


def _hooks(module: nn.Module, seen: Walk, running: list[nn.Module]) -> list[Any]:
    def enter(entered: nn.Module, inputs: tuple[Any, ...]) -> None:
        running.append(entered)
        seen.calls[entered] = seen.calls.get(entered, 0) + 1
        if inputs and isinstance(inputs[0], Tensor):
            seen.inputs[entered] = inputs[0].shape

    def leave(left: nn.Module, _: object, output: Any) -> None:
        running.pop()
        if isinstance(output, Tensor):
            seen.outputs[left] = output.shape
        elif output is not None:  # None: it was left by an exception
            seen.several[left] = len(output) if hasattr(output, "__len__") else 0

    return [module.register_forward_pre_hook(enter), module.register_forward_hook(leave, always_call=True)]
