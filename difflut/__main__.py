"""`python -m difflut` is `difflut`; torchrun starts it with `-m difflut`."""

from difflut.cli import main

if __name__ == "__main__":
    main()
