"""A circuit that runs in a browser: one self-contained HTML page, and the scripts in it."""
