"""The commands: options in, verbs called, exit status out."""
