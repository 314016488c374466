"""What is shown, and when: one class per protocol."""

from qana.incremental.protocol.class_incremental import ClassIncremental
from qana.incremental.protocol.domain_incremental import DomainIncremental
from qana.incremental.protocol.few_shot import FewShot
from qana.incremental.protocol.sequence import Protocol, Sequence, Session

__all__ = ["ClassIncremental", "DomainIncremental", "FewShot", "Protocol", "Sequence", "Session"]
