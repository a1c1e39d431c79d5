"""The limits beyond which a new span of wine differs too much from the model's training data."""

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

A gate is calibrated on how much good spans differ from each other. The library's defaults suit data
that do not change. The white wines, in the order of their file, do change: by the defaults, the
second half drifts from the first, and each sixth drifts from the previous one. The table has the
largest score of any feature among white parts; the sixth largest of twelve scores when red wine
follows a white part (with six, half of the features have drifted, and the gate closes); and the
limit, the geometric mean of the two:

| metric | white after white, largest | limit | red after white, sixth largest |
|---|---|---|---|
| psi | 0.53 | 0.95 | 1.73 |
| js | 0.30 | 0.39 | 0.51 |
| ks | 0.30 | 0.38 | 0.48 |
| wasserstein | 0.65 | 0.84 | 1.09 |

`python -m benchmarks wine_drift_gate` measures them; docs/calibrating-a-gate.md does the same
for other data. At half the limit there is a warning, and the gate stays open.
"""
