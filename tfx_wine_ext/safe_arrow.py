"""Makes Arrow safe to open files with that others wrote.

Before version 14.0.1 pyarrow unpickles what the schema of a Parquet, Feather or IPC file says is a
``PyExtensionType``, which runs any code that the file brings (CVE-2023-47248). To import this
module applies the fix of pyarrow's authors, by which such a file is an error, whatever the version.

Every package or module of ours that imports pyarrow imports this one, so that no entry point can
forget it: a program, a command, a driver, or a worker that only unpickles a task. A test looks
(``tests/test_safe_arrow.py``).
"""

from __future__ import annotations

import pyarrow_hotfix

# To import it is enough but where somebody had taken the fix back before.
pyarrow_hotfix.install()

# What the message of the fix's error names.
UNSAFE_TYPE = "arrow.py_extension_type"
