"""The arrows between rooms and the room of each third party, read from the #include lines.

apps -> include/rpt.h -> capi -> core -> storage -> base and lab -> core; see docs/architecture.md.
"""
import pathlib
import re

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
ROOMS = ["base", "storage", "core", "lab", "capi", "include", "apps", "bindings", "tests"]
SOURCES = {".h", ".hpp", ".c", ".cc", ".cpp", ".cu"}
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^">]+)[">]', re.M)

# What others see of storage: no database, no codec, no index.
STORAGE_INTERFACE = ["storage/store.h", "storage/space.h", "storage/records.h",
                     "storage/pointer_keys.h", "storage/document_filter.h"]

# What a room may include of our own, by the first folders of the path.
MAY_INCLUDE = {
    "base": ["base"],
    "storage": ["storage", "base"],  # its top: the interface, and the choice of a database
    "storage/codec": ["storage/codec", "storage/pointer_keys.h", "base"],
    "storage/index": ["storage/index", "storage/codec", "storage/records.h", "base"],
    "storage/words": ["storage/words", "storage/index/row_filter.h", "storage/records.h", "base"],
    "storage/sqlite": ["storage", "base"],
    "core/text": ["core/text", "base"],
    "core/weights": ["core/weights", "core/model", "core/text", "base"],
    "core/model": ["core/model", "base"],
    "core/engine": ["core/engine", "core/model", "core/weights", "core/text", "base"],
    "core/calibration": ["core/calibration", "core/engine", "core/model", "core/weights", "core/text", "base"],
    "core/reader": ["core/reader", "core/engine", "core/model", "core/text", *STORAGE_INTERFACE, "base"],
    "lab/network": ["lab/network", "core/model", "core/weights", "core/text", "base"],
    "lab/engine": ["lab/engine", "lab/network", "core/engine", "core/model", "core/weights", "core/text", "base"],
    "lab/train": ["lab/train", "lab/network", "core/model", "core/weights", "core/text", "base"],
    "lab/eval": ["lab/eval", "lab/train", "lab/network", "core/model", "core/weights", "core/text", "base"],
    "lab/memory": ["lab/memory", "lab/eval", "lab/train", "lab/network", "core/model", "core/weights", "core/text", "storage",
                   "storage/codec", "base"],
    "lab/ways": ["lab/ways", "lab/train", "lab/engine", "core", "storage/codec", "base"],
    "lab/proofs": ["lab/proofs", "lab/train", "lab/engine", "lab/network", "core/engine", "core/model",
                   "core/weights", "core/text", "base"],
    "capi": ["capi", "include", "core/calibration", "core/engine", "core/reader", "core/model", "core/weights", "core/text",
             *STORAGE_INTERFACE, "base"],
    "include": ["include"],
    "apps/rpt": ["apps/rpt", "include"],
    "apps/rpt-lab": ["apps/rpt-lab", "lab", "core", "base"],
    "apps/example": ["include"],
}

# The rooms that may see a third party. Whatever is not listed here and not a header of C or C++ is a failure too.
THIRD_PARTIES = {
    r"^(ATen|c10|torch|caffe2)/": ["lab", "apps/rpt-lab"],
    r"^faiss/": [],
    r"^sqlite3\.h$": ["storage/sqlite"],
    r"^zstd(_errors)?\.h$": ["storage/codec", "lab/train", "lab/eval", "apps/rpt-lab"],
    r"^nlohmann/": ["core/text", "core/weights", "core/model", "core/calibration", "lab", "capi", "apps/rpt", "apps/rpt-lab"],
    r"^CLI/": ["apps/rpt", "apps/rpt-lab"],
    r"^libxml/": ["apps/rpt"],
    r"^histedit\.h$": ["apps/rpt"],
    r"^boost/": ["apps"],
    r"^(gtest|gmock|benchmark)/": [],
}
POSIX = re.compile(r"^(sys|linux|arpa|netinet)/|^(unistd|fcntl|poll|pthread|dirent|termios|dlfcn|spawn|signal|sched|"
                   r"immintrin|iconv|cpuid|omp|link|cblas)\.h$")
STANDARD = re.compile(r"^(c?[a-z_0-9]+|[a-z]+\.h)$")


def room_of(path: pathlib.PurePath):
    parts = path.parts
    if parts[0] in ("core", "lab", "apps", "storage") and len(parts) > 2:
        return "/".join(parts[:2])
    return parts[0]


def sources():
    for room in ROOMS:
        for path in sorted((ROOT / room).rglob("*")) if (ROOT / room).is_dir() else []:
            if path.suffix in SOURCES and "golden" not in path.parts:
                yield path.relative_to(ROOT)


def includes(text):
    return [(kind, name) for kind, name in INCLUDE.findall(text)]


def is_below(name, allowed):
    return any(name == a or name.startswith(a + "/") for a in allowed)


def complaints(path: pathlib.PurePath, text: str):
    """Every include of `text`, standing at `path`, that the house does not allow."""
    room, found = room_of(path), []
    if room == "tests":
        return found
    for kind, name in includes(text):
        if name in ("rpt.h", "rpt.hpp", "rpt_unstable.h"):
            name = "include/" + name
        ours = name.split("/")[0] in ROOMS
        if not ours and kind == '"':
            ours, name = True, f"{path.parent.as_posix()}/{name}"
        if ours:
            if room not in MAY_INCLUDE:
                found.append(f"{path}: no arrow is known for the room {room}")
            elif not is_below(name, MAY_INCLUDE[room]):
                found.append(f"{path}: {room} may not include {name}")
            continue
        party = next((p for p in THIRD_PARTIES if re.search(p, name)), None)
        if party is not None:
            if not is_below(room, THIRD_PARTIES[party]):
                found.append(f"{path}: {name} has no place in {room}")
        elif not (POSIX.search(name) or STANDARD.match(name)):
            found.append(f"{path}: {name} belongs to no third party known here")
    return found


def test_structure_every_include_follows_an_arrow():
    found = [c for path in sources() for c in complaints(path, (ROOT / path).read_text())]
    assert not found, "\n".join(found)


def test_structure_public_headers_include_only_the_language():
    for path in sources():
        if path.parts[0] == "include":
            for _, name in includes((ROOT / path).read_text()):
                assert STANDARD.match(name) or name in ("rpt.h",), f"{path}: {name}"


@pytest.mark.parametrize("place, line", [
    ("storage/a.cc", '#include <ATen/ATen.h>'),
    ("storage/a.cc", '#include "core/text/tokenizer.h"'),
    ("base/a.h", '#include "storage/store.h"'),
    ("core/reader/a.cc", '#include <sqlite3.h>'),
    ("core/reader/a.cc", '#include "storage/sqlite/schema.h"'),
    ("storage/index/a.cc", '#include "storage/sqlite/schema.h"'),
    ("storage/index/a.cc", '#include <sqlite3.h>'),
    ("storage/codec/a.cc", '#include "storage/index/snapshot.h"'),
    ("core/reader/a.cc", '#include <torch/all.h>'),
    ("core/engine/a.cc", '#include <ATen/ATen.h>'),
    ("core/engine/a.cc", '#include "lab/engine/torch_engine.h"'),
    ("capi/a.cc", '#include "lab/engine/torch_engine.h"'),
    ("lab/network/a.cc", '#include "lab/train/trainer.h"'),
    ("lab/engine/a.cc", '#include "core/reader/session.h"'),
    ("core/text/a.cc", '#include "include/rpt.h"'),
    ("apps/rpt/a.cc", '#include "core/reader/session.h"'),
    ("apps/rpt/a.cc", '#include "base/error.h"'),
    ("apps/rpt/a.cc", '#include <zstd.h>'),
    ("include/rpt.h", '#include <nlohmann/json.hpp>'),
    ("capi/a.cc", '#include <faiss/Index.h>'),
    ("core/text/a.cc", '#include <fmt/core.h>'),
])
def test_structure_a_wrong_arrow_is_noticed(place, line):
    assert complaints(pathlib.PurePosixPath(place), f"#pragma once\n  {line}\n")


@pytest.mark.parametrize("place, line", [
    ("storage/sqlite/a.cc", '#include <sqlite3.h>'),
    ("storage/a.cc", '#include "base/error.h"'),
    ("core/reader/a.cc", '#include "storage/store.h"'),
    ("lab/engine/a.cc", '#include "core/engine/engine.h"'),
    ("apps/rpt/a.cc", '#include "include/rpt.h"'),
    ("apps/rpt/a.cc", '#include <rpt.h>'),
    ("base/a.cc", '#include <sys/stat.h>'),
    ("base/a.cc", '#include <string_view>'),
])
def test_structure_a_right_arrow_passes(place, line):
    assert not complaints(pathlib.PurePosixPath(place), f"{line}\n")


def test_structure_the_conformance_suite_sees_the_interface_alone():
    allowed = [*STORAGE_INTERFACE, "storage/backend.h", "base", "tests/conformance",
               "tests/unit/storage/store_fixture.h"]
    for path in sorted((ROOT / "tests/conformance").glob("*.*")):
        if path.suffix in SOURCES and path.name != "backends.cc":
            for kind, name in includes(path.read_text()):
                if kind == '"':
                    assert is_below(name, allowed), f"{path.name}: {name}"


def test_structure_source_names_are_unique_in_each_house():
    seen = {}
    for path in sources():
        if path.parts[0] in ("storage", "core", "lab", "base", "capi", "include"):
            other = seen.setdefault((path.parts[0], path.name), path)
            assert other == path, f"{path} and {other} share a name"


def test_structure_no_source_passes_500_lines():
    for path in sources():
        if path.name != "rpt.h":  # half of it is the contract, and hosts want one file
            n_lines = len((ROOT / path).read_text().splitlines())
            assert n_lines <= 500, f"{path}: {n_lines} lines"


def test_structure_no_room_for_leftovers():
    for path in sources():
        for part in (*path.parts[:-1], path.stem):
            assert part not in ("utils", "util", "misc", "common", "helpers"), path
