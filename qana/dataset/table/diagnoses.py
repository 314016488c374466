"""The seven diagnoses of HAM10000, which are also those of the synthetic source."""

from __future__ import annotations

# Images of each diagnosis in HAM10000: Tschandl et al. 2018 (doi:10.1038/sdata.2018.161).
HAM10000_IMAGES = {
    "akiec": 327,  # actinic keratosis, Bowen's disease
    "bcc": 514,  # basal cell carcinoma
    "bkl": 1099,  # benign keratosis
    "df": 115,  # dermatofibroma
    "mel": 1113,  # melanoma
    "nv": 6705,  # naevus
    "vasc": 142,  # vascular lesion
}

CLASSES = tuple(sorted(HAM10000_IMAGES))
