"""The columns of the wine data, under the names that the whole pipeline uses.

The names are those of the published files with every space turned into `_`.
"""

from __future__ import annotations

from typing import Final

FEATURES: Final[list[str]] = [
    "fixed_acidity",  # g(tartaric acid)/dm3
    "volatile_acidity",  # g(acetic acid)/dm3
    "citric_acid",  # g/dm3
    "residual_sugar",  # g/dm3
    "chlorides",  # g(sodium chloride)/dm3
    "free_sulfur_dioxide",  # mg/dm3
    "total_sulfur_dioxide",  # mg/dm3
    "density",  # g/cm3
    "pH",
    "sulphates",  # g(potassium sulphate)/dm3
    "alcohol",  # % vol.
]
"""The eleven physicochemical measurements, float64, in the order of the published files."""

LABEL: Final = "quality"
"""The median grade of at least three tasters, 0 (very bad) to 10 (excellent), int64."""

COLUMNS: Final[list[str]] = [*FEATURES, LABEL]
"""All columns in the order of the published files."""
