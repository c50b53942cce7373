"""``python -m bench``. Each process that a benchmark starts loads this module anew, so it loads nothing by itself."""

if __name__ == "__main__":
    import sys

    from bench.command_line import main

    sys.exit(main())
