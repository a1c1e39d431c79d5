"""Makes it safe to open untrusted files with Arrow.

Before version 14.0.1 pyarrow unpickles columns of the type ``PyExtensionType`` in Parquet, Feather
or IPC files, which runs any code in the file (CVE-2023-47248). Importing this module applies the
fix by pyarrow's authors: such files raise an error in every version.

Every package or module of this library that imports pyarrow imports this one, so that no entry
point can omit it: a program, a command, a driver, or a worker that only unpickles a task.
``tests/test_safe_arrow.py`` checks this.
"""

from __future__ import annotations

import pyarrow_hotfix

# Importing it is enough unless the fix has been uninstalled before.
pyarrow_hotfix.install()

# The type name in the fix's error message.
UNSAFE_TYPE = "arrow.py_extension_type"
