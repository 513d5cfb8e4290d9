"""Names for runs that were given none: adjective-noun-N."""

from __future__ import annotations

import os
from typing import Final

ADJECTIVES: Final = """
    amber ancient autumn bold brave breezy bright brisk bronze calm candid cedar clear clever cobalt copper coral
    cosmic crimson crisp curious dapper daring dawn deep distant dusty eager early earnest easy electric ember
    fabled fair fearless fine floral frosty gentle gilded glad golden grand happy hardy hazel hidden honest humble
    icy indigo ivory jade jolly keen kind late leafy light lively lucid lucky lunar magic mellow merry mild misty
    modest mossy neat nimble noble northern olive opal patient pearly polite proud quick quiet radiant rapid rosy
    royal ruby rustic sandy serene sharp shiny silent silver smooth snowy solar southern spring steady still stormy
    sunny swift tidy tranquil upbeat valiant velvet vivid warm wild winter wise witty young zesty
""".split()  # noqa: SIM905 - a word a line would be a hundred lines
NOUNS: Final = """
    anchor arbor aspen badger basin bay beacon birch bird bloom breeze bridge brook canyon cedar cliff cloud comet
    coral cove crane creek crystal dawn delta desert dew dolphin dove dune eagle ember falcon feather fern field
    finch fire firefly fjord flower forest fox galaxy garden glacier glade grove gull harbor hare haven hawk haze
    heron hill horizon island ivy jay lagoon lake lantern lark leaf lily lion lotus lynx maple marsh meadow meteor
    mist moon moss mountain oak oasis ocean orbit orchid otter owl panda path peak pebble pine planet plum pond
    prairie rain raven reef ridge river robin sail shadow shore sky snow sparrow spring star stone storm stream sun
    sunset swan thunder tide trail tree tulip valley violet wave willow wind wolf wood wren
""".split()  # noqa: SIM905 - a word a line would be a hundred lines


def run_name(number: int) -> str:
    """A friendly name such as `jolly-haze-4`; `number` is the run's place in its project, from 1."""
    source = int.from_bytes(os.urandom(8))  # not `random`: a script's seed must neither give nor take names
    return f"{ADJECTIVES[source % len(ADJECTIVES)]}-{NOUNS[source // 1000 % len(NOUNS)]}-{number}"


def next_name(project_folder: str) -> str:
    """A name for the next run of a project.

    Runs that start at once may share the number: of 64, two have the same name once in some hundred times. The id is
    what is unique. Names of files are not looked at closely: of 10,000 that would take longer than all else.
    """
    try:
        count = sum(name.startswith("run-") and name.endswith(".jsonl") for name in os.listdir(project_folder))
    except OSError:
        count = 0
    return run_name(count + 1)
