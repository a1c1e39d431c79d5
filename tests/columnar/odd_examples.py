"""Random serialised examples: usual ones, unusual ones that are valid, and broken ones."""

from __future__ import annotations

import struct

from tfx_wine_ext.columnar.wire import varint

NAMES = ["a", "ab", "", "ä" * 63, "n" * 127, "n" * 128, "wine colour", "z" * 3000, "z" * 5000]
INTEGERS = [0, 1, 127, 128, 16_383, 16_384, -1, 2**31, 2**62, 2**63 - 1, -(2**63)]
FLOATS = [0.0, -0.0, 1.5, float("nan"), float("inf"), -1e-40, 3e38]
LENGTHS = [0, 1, 5, 100, 126, 127, 128, 129, 300, 20_000]
TAGS = {"bytes": b"\x0a", "floats": b"\x12", "ints": b"\x1a"}


def box(tag, content):
    return tag + varint(len(content)) + content


def value(random, kind):
    if kind == "bytes":
        content = bytes([random.randrange(256)]) * random.choice(LENGTHS[: random.choice([4, 10])])
        return box(b"\x0a", content)
    if kind == "floats":
        return struct.pack("<f", random.choice(FLOATS))
    number = random.choice(INTEGERS + [random.randrange(10_000)] * 20)
    return varint(number & (2**64 - 1))


def feature(random, kind, odd):
    if kind is None or random.random() < 0.1:
        return b""
    count = random.choice([1] * 20 + [0, 2, 3, random.randrange(100)])
    values = b"".join(value(random, kind) for _ in range(count))
    form = random.randrange(8) if odd else 0
    if form == 1:  # The list in two parts, which readers join.
        return box(TAGS[kind], box(b"\x0a", values)) * 2
    if form == 2 and kind == "ints":  # Unpacked, and longer than need be.
        return box(TAGS[kind], b"\x08\x81\x00\x08\x02")
    if form == 3 and kind == "ints":
        return box(TAGS[kind], box(b"\x0a", b"\x81\x80\x00"))
    if form == 4 and kind == "ints":  # More than 64 bits, or 10 bytes.
        return box(TAGS[kind], box(b"\x0a", random.choice([b"\xff" * 9 + b"\x7f", b"\xff" * 11])))
    if form == 5:  # An unknown field.
        return box(TAGS[kind], values if kind == "bytes" else box(b"\x0a", values)) + b"\x20\x01"
    if kind == "bytes":
        return box(TAGS[kind], values)
    return box(TAGS[kind], box(b"\x0a", values) if values or random.random() < 0.5 else b"")


def example(random, features, odd):
    """One record with most of the features, which are {name: kind}."""
    entries = []
    for name, kind in features.items():
        if random.random() < 0.05:
            continue
        if odd and random.random() < 0.05:
            kind = random.choice(list(TAGS))
        key = box(b"\x0a", name.encode())
        content = box(b"\x12", feature(random, kind, odd and random.random() < 0.3))
        form = random.randrange(40) if odd else 0
        if form == 1:
            key = box(b"\x0a", b"\xff" + name.encode())
        elif form == 2:
            key, content = content, key
        elif form == 3:
            content = b""
        elif form == 4:
            key = b""
        entry = box(b"\x0a", key + content)
        entries.append(entry * 2 if form == 5 else entry)
    if random.random() < 0.01:
        return random.choice([b"", b"\x0a\x00"])
    record = box(b"\x0a", b"".join(entries))
    if odd and random.random() < 0.05:
        return random.choice([record * 2, record + b"\x10\x01", record[:-1], record + b"\x00"])
    if odd and random.random() < 0.05:
        at = random.randrange(len(record))
        return record[:at] + random.randbytes(1) + record[at + 1 :]
    return record


def batch(random, odd, shuffled):
    """Up to some hundred records of one table; `shuffled` ones do not sort their features."""
    names = random.sample(NAMES, random.randrange(1, len(NAMES)))
    features = {name: random.choice([*TAGS, *TAGS, None]) for name in sorted(names)}
    records = []
    for _ in range(random.choice([1, 2, 50, 400])):
        if shuffled:
            features = dict(random.sample(list(features.items()), len(features)))
        records.append(example(random, features, odd and random.random() < 0.1))
    return records
