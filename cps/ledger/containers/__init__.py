"""Containers of ledgers, each read to sheets of text by one module, in a limited child process."""
