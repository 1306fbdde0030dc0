"""One file for each family of indicators; a new file here is a new family, with no list to edit."""
