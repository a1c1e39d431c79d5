"""The structure of the documents of pages, which is checked once before anything is rendered.

A page may be rendered from any file that claims to be a report. Each shape contains what its page
reads; docs/lineage.md describes the documents as they are written. `tfx_wine_ext.drift.load` checks
those of drift reports.
"""

from __future__ import annotations

from tfx_wine_ext.documents import (
    boolean,
    list_of,
    mapping_of,
    optional,
    record,
    text,
    whole_number,
)

_SHAPE = optional(list_of(whole_number))
WARM_START = record(
    {
        "warm": boolean,
        "reason": text,
        "base": text,
        "generation": whole_number,
        "base_step": whole_number,
        "steps": whole_number,
        "optimizer": text,
        "optimizer_step": whole_number,
        "variables": list_of(
            record(
                {
                    "name": text,
                    "action": text,
                    "reason": text,
                    "shape": _SHAPE,
                    "base_shape": _SHAPE,
                    **dict.fromkeys(("kept", "added", "vanished"), whole_number),
                }
            )
        ),
        "not_compensated": list_of(text),
        "counts": mapping_of(whole_number),
        "preserves_function": boolean,
    },
    # Earlier releases did not verify anything.
    missing={"verified": boolean, "verification": text},
)
