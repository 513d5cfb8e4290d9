"""tracker-tui: a dashboard in the terminal over the runs that `tracker` writes."""
