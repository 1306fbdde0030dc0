"""Jobs and money: what an initiative's gain costs, and whether it pays, with its uncertainty."""
