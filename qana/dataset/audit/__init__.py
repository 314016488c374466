"""What the sides of a split share, and how light the skin in an image looks."""

from qana.dataset.audit.image_tone import image_tone, image_tone_ita_deg
from qana.dataset.audit.leakage import LeakageAudit, audit_external, audit_splits, require_no_shared_groups
from qana.dataset.audit.near_duplicates import NearDuplicate, find_near_duplicates
from qana.dataset.audit.perceptual_hash import perceptual_hash
from qana.dataset.audit.side import ImageArray, Side

__all__ = [
    "ImageArray",
    "LeakageAudit",
    "NearDuplicate",
    "Side",
    "audit_external",
    "audit_splits",
    "find_near_duplicates",
    "image_tone",
    "image_tone_ita_deg",
    "perceptual_hash",
    "require_no_shared_groups",
]
