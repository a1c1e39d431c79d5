"""Reports for people: each one is a self-contained HTML file. This package does not import TFX.

`render_drift_page` renders a comparison, and `render_history_page` the runs of a pipeline. `page`
and `plots` contain code that the pages share.
"""
