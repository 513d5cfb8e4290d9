"""The commands of `tracker-tui` that need no screen: what `reading` prints and what `changing` writes."""
