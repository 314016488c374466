"""Warnings of the SDK after which it goes on with another network than the one it was given."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from qana.errors import QanaError, listed

# quantizeml 1.2.5, cnn2snn 2.19.3: the end of the network is cut off, weights are lost, thresholds clipped.
FATAL = re.compile(
    r"[Cc]onversion stops|[Qq]uantization will stop|\bis ignored\b|clipped to the maximum supported"
    r"|not found in the model|no weight to apply"
)


@contextmanager
def fatal_sdk_warnings(step: str) -> Iterator[None]:
    """Turn the warnings of the SDK that mean a changed network into one error; pass the others on.

    Args:
        step: what the SDK does meanwhile, in words.

    Raises:
        QanaError: the SDK warned that it leaves something out or changes a value.
    """
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")  # by default a warning is told once per line of code and process
        yield
    texts = [" ".join(str(warning.message).split()) for warning in caught]
    fatal = [text for text in dict.fromkeys(texts) if FATAL.search(text)]
    if fatal:
        raise QanaError(
            f"the SDK changed the network during {step}: {listed(fatal)}",
            where="backbone, conversion.name",
            allowed="a conversion of the whole network",
            fix="change the first layer that is named; what follows it was cut off",
        )
    for warning in caught:
        warnings.warn_explicit(warning.message, warning.category, warning.filename, warning.lineno)
