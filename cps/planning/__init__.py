"""Planning: what an initiative that is still to start could show."""
