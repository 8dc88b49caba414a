"""Memories that are damaged, foreign or may only be read."""
import os
import pathlib
import random
import shutil
import subprocess
import tempfile

import pytest
from conftest import RPT

COMMANDS = [["memory", "check", "mem"], ["memory", "list", "mem"], ["memory", "stat", "mem"],
            ["memory", "show", "mem", "sea.txt", "--text"], ["search", "mem", "ship"],
            ["complete", "mem", "-p", "ship", "-n", "2"], ["add", "mem", "other.txt"], ["memory", "compact", "mem"]]


def empty(database):
    database.write_bytes(b"")


def half(database):
    os.truncate(database, database.stat().st_size // 2)


def header(database):
    os.truncate(database, 100)


def noise(database):
    database.write_bytes(random.Random(1).randbytes(database.stat().st_size))


def folder(database):
    database.unlink()
    database.mkdir()


def foreign(database):
    import sqlite3
    database.unlink()
    connection = sqlite3.connect(database)
    connection.execute("create table x(y)")
    connection.commit()
    connection.close()


@pytest.mark.parametrize("damage", [empty, half, header, noise, folder, foreign], ids=lambda f: f.__name__)
def test_damage_is_one_line_in_every_command(rpt, store, tmp_path, damage):
    (tmp_path / "other.txt").write_text("one more text\n")
    damage(tmp_path / "mem/store.sqlite")
    for words in COMMANDS:
        answer = rpt(*words, code=1)
        assert answer.out == "" and len(answer.err.splitlines()) == 1, words
        assert rpt(*words, "--json", code=1).json["error"]["message"] in answer.err


def test_damage_in_some_pages_never_passes_for_text(rpt, store, tmp_path, text):
    database = tmp_path / "mem/store.sqlite"
    whole = database.read_bytes()
    for seed in range(6):
        draw = random.Random(seed)
        damaged = bytearray(whole)
        for _ in range(40):
            damaged[draw.randrange(4096, len(damaged))] = draw.randrange(256)
        for tail in ("-wal", "-shm"):
            pathlib.Path(str(database) + tail).unlink(missing_ok=True)
        database.write_bytes(damaged)
        done = subprocess.run([RPT, "memory", "show", "mem", "sea.txt", "--text"], cwd=tmp_path, capture_output=True)
        assert done.returncode in (0, 1)
        if done.returncode == 0:
            assert done.stdout.decode() == text
        else:
            assert done.stderr.startswith(b"rpt: ")
        assert subprocess.run([RPT, "memory", "check", "mem"], cwd=tmp_path, capture_output=True).returncode in (0, 1)


@pytest.fixture
def read_only(store, tmp_path, models):
    """A copy of the memory in a folder where nobody may write, and how to run rpt there."""
    place = pathlib.Path(tempfile.mkdtemp())
    shutil.copytree(tmp_path / "mem", place / "mem")
    shutil.copy(models[0], place / "model.safetensors")
    (place / "new.txt").write_text("one more text\n")
    for path in [place, *place.rglob("*")]:
        path.chmod(0o555 if path.is_dir() else 0o444)

    def run(*words):
        as_nobody = {"user": 65534, "group": 65534, "extra_groups": []} if os.geteuid() == 0 else {}
        if words[0] in ("add", "search"):
            words += ("--model", "model.safetensors", "--threads", "1")
        return subprocess.run([RPT, *words], cwd=place, capture_output=True, text=True, timeout=300, **as_nobody)

    yield place, run
    for path in [place, *place.rglob("*")]:
        path.chmod(0o755)
    shutil.rmtree(place)


def test_damage_none_where_a_memory_may_only_be_read(read_only, text):
    place, run = read_only
    before = {p: p.stat().st_mtime_ns for p in place.rglob("*")}
    for words in (["search", "mem", "ship"], ["memory", "list", "mem"], ["memory", "stat", "mem"],
                  ["memory", "check", "mem"]):
        done = run(*words)
        assert done.returncode == 0, (words, done.stderr)
    assert run("memory", "show", "mem", "sea.txt", "--text").stdout == text
    for words in (["add", "mem", "new.txt"], ["memory", "delete", "mem", "sea.txt"], ["memory", "compact", "mem"]):
        done = run(*words)
        assert done.returncode == 1 and len(done.stderr.splitlines()) == 1, (words, done.stderr)
    assert {p: p.stat().st_mtime_ns for p in place.rglob("*")} == before
