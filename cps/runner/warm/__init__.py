"""One import-only warm process, from which tasks and Jupyter kernels are forked (Linux)."""
