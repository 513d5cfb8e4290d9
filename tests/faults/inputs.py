"""What may come: values, records, and files of both, for hypothesis and, through it, for a fuzzer."""

from __future__ import annotations

import json

from hypothesis import strategies as st

from tracker import records

KINDS = [
    records.START,
    records.METRIC,
    records.CONFIG,
    records.UPDATE,
    records.EDIT,
    records.ALERT,
    records.ENVIRONMENT,
    records.SYSTEM,
    records.HEARTBEAT,
    records.SIGNAL,
    records.CHECKPOINT,
    records.END,
    "unknown",
]
FIELDS = (
    *(
        "_step",
        "_timestamp",
        "loss",
        "acc",
        "id",
        "name",
        "project",
        "config",
        "summary",
        "sketches",
        "metrics",
        "tags",
    ),
    *("notes", "exit_code", "exception", "signal", "time", "last_step", "title", "text", "level", "resumed", "fork_of"),
    *("fork_file", "from_step", "values", "columns", "count", "first"),
)

texts = st.text(max_size=20) | st.sampled_from(["", "NaN", "Infinity", "\x1b[2J", "a\u202eb", "loss", "..", "/etc"])
floats = st.floats() | st.sampled_from([0.0, -0.0, 5e-324, 1e308, -1e308, 1e-300, 1.0])
scalars = st.none() | st.booleans() | st.integers() | floats | texts
json_values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(FIELDS) | texts, inner, max_size=4),
    max_leaves=12,
)
media = st.dictionaries(
    st.sampled_from(("path", "size", "width", "height", "caption", "trouble", "nrows", "values", "bins")),
    json_values | st.sampled_from(("media/images/a.png", "media/../x", "media/a/", "/media/a")),
).flatmap(lambda fields: st.sampled_from(("image-file", "histogram", "-file", "table-file", "\x1b-file")).map(
    lambda kind: {"_type": kind, **fields}))  # fmt: skip
logged = json_values | media | st.lists(media | json_values, max_size=3)
rows = st.fixed_dictionaries(
    {"_step": st.integers(-2, 40) | json_values},
    optional={
        "_timestamp": st.floats(0, 4e9) | json_values,
        "loss": floats | texts,
        "acc": json_values,
        "image": logged,
    },
)
kinds = st.builds(
    lambda kind, fields: {"_type": kind, **fields},
    st.sampled_from(KINDS),
    st.dictionaries(st.sampled_from(FIELDS), json_values, max_size=6),
)


def line_of(record: object) -> bytes:
    return json.dumps(record).encode() + b"\n"


lines = (rows | kinds).map(line_of) | (rows | kinds).flatmap(
    lambda record: st.integers(0, 60).map(lambda cut: line_of(record)[:cut])
)
contents = st.lists(lines | st.binary(max_size=40) | st.just(b"\n"), max_size=12).map(b"".join)
"""What may be in a file: records, torn ones, and anything at all."""
