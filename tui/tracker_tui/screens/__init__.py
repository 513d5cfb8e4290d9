"""The dashboard's screens, one file and one style sheet each."""
