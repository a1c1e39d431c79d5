"""The page of a warm start: what was done with each variable, and why."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tfx_wine_ext.report.page import render
from tfx_wine_ext.warm_start.report import TransferReport


def render_warm_start_page(report: TransferReport | Mapping[str, Any]) -> str:
    """Renders the report of a warm or cold start as one HTML file.

    Args:
        report: The report, or the JSON object in ``warm_start.json``.

    Returns:
        A whole HTML document that needs no network; write it as UTF-8.

    Raises:
        ValueError: `report` has an unexpected value; the message says where.

    Example:
        >>> cold = TransferReport(warm=False, reason="Cold start: there is no model yet.")
        >>> "there is no model yet" in render_warm_start_page(cold)
        True
    """
    if not isinstance(report, TransferReport):
        report = TransferReport.from_dict(report)
    return render(
        "warm_start.html",
        title="Warm start" if report.warm else "Cold start",
        report=report,
        total_steps=report.base_step + report.steps,
    )
