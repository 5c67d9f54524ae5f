"""`python -m dbrt` is the command `dbrt`."""

import sys

from dbrt.cli import main

if __name__ == "__main__":
    sys.exit(main())
