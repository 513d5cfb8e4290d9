"""The parts of the dashboard's screen, one file each."""
