"""``python -m tfx_wine_ext.cli``."""

import sys

from tfx_wine_ext.cli import main

if __name__ == "__main__":
    sys.exit(main())
