import subprocess
import sys

import pytest

from tfx_wine_ext import warm_start


def test_importing_the_package_loads_neither_keras_nor_tensorflow(checkout):
    program = (
        "import sys, tfx_wine_ext.warm_start\n"
        "print(sorted({'keras', 'tensorflow', 'tensorflow_transform', 'tfx'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=checkout, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def test_names_that_need_keras_are_loaded_when_they_are_asked_for():
    from tfx_wine_ext.warm_start import freeze

    assert warm_start.FreezeLayers is freeze.FreezeLayers
    assert {"FreezeLayers", "callbacks"} <= set(dir(warm_start))


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match=r"'tfx_wine_ext.warm_start' has no attribute 'no'"):
        _ = warm_start.no
