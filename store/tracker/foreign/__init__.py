"""Runs that other tools have logged, read as they lie and written down as journals of ours.

Found by `finder`, read by one reader a format (`tensorboard`, `offline`, `tables`, `trackio`), written by `recorder`. A
journal then is read by the very code that reads every other. `mirror` keeps such journals in the user's cache folder,
for looking; `tracker-tui import` puts them into a folder of runs, for good.
"""
