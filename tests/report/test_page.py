import base64
import hashlib
import re

import jinja2
import pytest

from tfx_wine_ext.report.page import render, unbroken


def test_what_is_given_to_a_template_is_escaped():
    page = render("base.html", title="<script>alert(1)</script>")
    assert "<script>alert(1)" not in page
    assert "<title>&lt;script&gt;alert(1)&lt;/script&gt;" in page


def test_the_policy_allows_the_style_and_the_script_of_the_page_by_their_hashes_and_no_request():
    page = render("base.html", title="x")
    [policy] = re.findall(r'Content-Security-Policy" content="([^"]+)"', page)
    assert "default-src 'none'" in policy
    for tag in ("style", "script"):
        [content] = re.findall(rf"<{tag}>(.*?)</{tag}>", page, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in policy.replace("&#39;", "'")


def test_a_name_that_the_template_reads_and_nobody_gave_is_an_error():
    with pytest.raises(jinja2.UndefinedError, match="'title' is undefined"):
        render("base.html")


def test_numbers_that_a_browser_would_break_are_kept_together():
    assert unbroken("from -1e-07 to <2024-10-04>") == (
        'from <span class="piece">-1e-07</span> to &lt;<span class="piece">2024-10-04</span>&gt;'
    )
    assert unbroken("1 of 2") == "1 of 2"
