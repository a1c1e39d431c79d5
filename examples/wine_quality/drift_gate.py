"""From when on a new span of wine is no longer the data that the model was made for."""

from __future__ import annotations

from typing import Final

from tfx_wine_ext.drift import DriftConfig, Threshold

DRIFT_GATE: Final = DriftConfig(
    thresholds={
        "psi": Threshold(fail=0.95, warn=0.5),
        "js": Threshold(fail=0.39, warn=0.2),
        "ks": Threshold(fail=0.38, warn=0.19),
        "wasserstein": Threshold(fail=0.84, warn=0.42),
    },
    share=0.5,
)
"""The limits of the pipeline's drift report.

A gate is calibrated on how much good spans differ from each other. The library's defaults are for
data that stay as they are; the white wines, in the order of their file, do not: by the defaults the
second half drifts from the first, and so do all sixths from the one before. Below are the largest
score of any feature there; the sixth largest of twelve where red wine follows a part of the white
(from six on half of the features have drifted, and the gate closes); and the limit between, their
geometric mean:

| metric | white after white, largest | limit | red after white, sixth largest |
|---|---|---|---|
| psi | 0.53 | 0.95 | 1.73 |
| js | 0.30 | 0.39 | 0.51 |
| ks | 0.30 | 0.38 | 0.48 |
| wasserstein | 0.65 | 0.84 | 1.09 |

`python -m benchmarks.wine_drift_gate` measures them; docs/calibrating-a-gate.md says how to do the
same for other data. A warning, at half the limit, is for people: the gate stays open.
"""
