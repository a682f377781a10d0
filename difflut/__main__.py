"""`python -m difflut` is `difflut`; torchrun starts it with `-m difflut`."""

import os
import sys

if __name__ == "__main__":
    # `python -m` puts the working directory first, where a `click.py` would be imported. `difflut` itself has been
    # found.
    if not getattr(sys.flags, "safe_path", False) and sys.path[:1] in ([""], [os.getcwd()]):
        del sys.path[0]
    from difflut.cli import main

    main()
