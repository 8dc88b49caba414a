"""The program `rpt` as a person runs it, with a random model of a few kilobytes."""
import json
import os
import pathlib
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
    return [folder / "tiny1.safetensors", folder / "tiny2.safetensors"]


MODEL_COMMANDS = ("add", "search", "complete", "score", "bench")


@pytest.fixture
def rpt(models, tmp_path):
    """Runs rpt in an empty folder; checks what holds for every run."""

    def run(*arguments, stdin=b"", code=0, model=0, cwd=tmp_path):
        words = [str(a) for a in arguments]
        if words and words[0] in MODEL_COMMANDS and "--model" not in words:
            words += ["--model", str(models[model])]
        done = subprocess.run([RPT, *words], input=stdin, capture_output=True, cwd=cwd, timeout=300)
        done.stdout, done.stderr = done.stdout.decode(), done.stderr.decode()
        assert done.returncode == code, f"{words}: exit {done.returncode}\n{done.stdout}\n{done.stderr}"
        if code in (1, 2):
            lines = done.stderr.splitlines()
            assert lines and lines[-1].startswith("rpt: "), done.stderr
        return Answer(done)

    return run


SENTENCE = "the sea was calm and a ship came from far with salt wind and stars over the water. "


@pytest.fixture
def text():
    return "".join(f"{i}: {SENTENCE}\n" for i in range(40))


@pytest.fixture
def store(rpt, tmp_path, text):
    (tmp_path / "sea.txt").write_text(text)
    rpt("add", "mem", "sea.txt")
    return pathlib.Path("mem")
