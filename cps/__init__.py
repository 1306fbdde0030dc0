"""cps: what village common-prosperity projects changed."""
