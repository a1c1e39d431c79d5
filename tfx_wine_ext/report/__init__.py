"""Reports that people read: one self-contained HTML file each, no TFX import.

`render_drift_page` makes the page of a comparison, `render_history_page` that of a pipeline's runs.
`page` and `plots` hold what pages share.
"""
