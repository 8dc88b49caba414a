"""The program `rpt` as a person runs it, with a random model of a few kilobytes."""
import json
import os
import pathlib
import shutil
import subprocess

import pytest

RPT = os.environ.get("RPT_PROGRAM", "rpt")
MAKE_TINY_MODEL = os.environ.get("RPT_MAKE_TINY_MODEL", "make_tiny_model")


class Answer:
    def __init__(self, done):
        self.code, self.out, self.err = done.returncode, done.stdout, done.stderr

    @property
    def json(self):
        lines = self.out.splitlines()
        assert len(lines) == 1, f"not one line of JSON: {self.out!r}"
        return json.loads(lines[0])


@pytest.fixture(scope="session")
def models(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    subprocess.run([MAKE_TINY_MODEL, str(folder)], check=True)
    return [folder / "tiny.safetensors", folder / "other.safetensors"]


MODEL_COMMANDS = ("add", "search", "complete", "score", "bench")


@pytest.fixture
def rpt(models, tmp_path):
    """Runs rpt in an empty folder; checks what holds for every run."""

    def run(*arguments, stdin=b"", code=0, model=0, cwd=tmp_path):
        words = [str(a) for a in arguments]
        if words and words[0] in MODEL_COMMANDS and "--model" not in words:
            words += ["--model", str(models[model])]
        if words and words[0] in MODEL_COMMANDS:
            words += ["--threads", "1"]  # the model is tiny: threads only wait for each other
        done = subprocess.run([RPT, *words], input=stdin, capture_output=True, cwd=cwd, timeout=300)
        done.stdout, done.stderr = done.stdout.decode(), done.stderr.decode()
        assert done.returncode == code, f"{words}: exit {done.returncode}\n{done.stdout}\n{done.stderr}"
        if code in (1, 2):
            lines = done.stderr.splitlines()
            assert lines and lines[-1].startswith("rpt: "), done.stderr
        return Answer(done)

    return run


SENTENCE = "the sea was calm and a ship came from far with salt wind and stars over the water. "


TEXT = "".join(f"{i}: {SENTENCE}\n" for i in range(40))


@pytest.fixture
def text():
    return TEXT


@pytest.fixture(scope="session")
def read_store(models, tmp_path_factory):
    """A memory that holds TEXT as sea.txt, read once."""
    folder = tmp_path_factory.mktemp("read")
    (folder / "sea.txt").write_text(TEXT)
    subprocess.run([RPT, "add", "mem", "sea.txt", "--model", str(models[0]), "--threads", "1"], cwd=folder, check=True,
                   capture_output=True)
    return folder


@pytest.fixture
def store(read_store, tmp_path):
    shutil.copytree(read_store, tmp_path, dirs_exist_ok=True)
    return pathlib.Path("mem")
