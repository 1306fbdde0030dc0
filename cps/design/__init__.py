"""Design: who is treated when, who may be compared, who is left out and why."""
