"""Reports that people read: one self-contained HTML file each, no TFX import.

`render_drift_page` makes the page of a comparison. `page` and `plots` hold what pages share.
"""
