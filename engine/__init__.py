"""Model files, inference graphs, engines for this machine, and what runs them."""
