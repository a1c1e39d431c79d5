"""Whatever changes at once, the warm model answers as the base did for the same raw examples."""

import dataclasses

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.warm_start.models import carried, predictions, spec_of, wide_and_deep
from tfx_wine_ext.warm_start.inputs import Affine, Vocabulary

NUMBERS = ("pH", "alcohol", "sugar")
CATEGORIES = ("city", "grape")
TOKENS = tuple("abcdefgh")

affine = st.builds(Affine, st.just(""), st.floats(-5, 5), st.floats(0.2, 5))


@st.composite
def spans(draw):
    """Two specifications: of the same features, but for some that the second one adds."""
    before, after = [], []
    for name in NUMBERS:
        old, new = (dataclasses.replace(draw(affine), feature=name) for _ in range(2))
        after.append(new)
        if name == "pH" or draw(st.booleans()):
            before.append(old)
    for name in CATEGORIES:
        known = draw(st.lists(st.sampled_from(TOKENS), min_size=1, max_size=5, unique=True))
        more = draw(st.lists(st.sampled_from(TOKENS), max_size=5, unique=True))
        # Reordered and grown; what shrinks has a test of its own.
        grown = draw(st.permutations(sorted({*known, *more})))
        one_hot, buckets = draw(st.booleans()), draw(st.integers(1, 3))
        old = Vocabulary(name, tuple(known), buckets, reserved=draw(st.integers(0, 1)))
        old = dataclasses.replace(old, one_hot=one_hot)
        times = draw(st.integers(1, 2))
        after.append(dataclasses.replace(old, tokens=tuple(grown), oov_buckets=buckets * times))
        if draw(st.booleans()):
            before.append(old)
    return spec_of(*draw(st.permutations(before))), spec_of(*draw(st.permutations(after)))


@settings(max_examples=40, suppress_health_check=list(HealthCheck))
@given(spans(), st.integers(0, 2**32 - 1))
def test_the_prediction_stays_whatever_is_moved_grown_reordered_and_added(pair, seed):
    before, after = pair
    base, new, report = carried(wide_and_deep, before, after)
    random = np.random.default_rng(seed)
    raw = {name: random.normal(0, 3, 30) for name in NUMBERS}
    raw.update({name: random.choice([*TOKENS, "?", "!"], 30) for name in CATEGORIES})
    assert report.not_compensated == ()
    was, now = predictions(base, before, raw), predictions(new, after, raw)
    # Both are computed in float32: 1e-5 of what is added up.
    scale = 1 + np.abs(was).max() + max(abs(x.center / x.scale) for x in _affine(after))
    np.testing.assert_allclose(now, was, atol=1e-5 * scale)


def _affine(spec):
    return [x for x in spec.features.values() if isinstance(x, Affine)]
