"""Ways of inference that can replace a method's own: one file each."""
