"""The demonstration from its first line to its last, with the smallest model."""
import os
import pathlib
import subprocess

from conftest import RPT

ROOT = pathlib.Path(__file__).resolve().parents[2]


def test_demo_shows_each_scene_with_and_without_the_memory():
    done = subprocess.run([ROOT / "demo/run.sh"], env=os.environ | {"RPT": RPT, "RPT_DEMO_MODEL": "nano"}, capture_output=True,
                          text=True, timeout=1200)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("added ") == 3 and "added 7 documents" in done.stdout
    assert done.stdout.count("-- with the memory") == done.stdout.count("-- without") == 3
    assert "with the memory \"memory\": " in done.stdout and "with no memory: " in done.stdout
    # each answer says something
    for scene in done.stdout.split("-- with")[1:]:
        assert scene.partition("\n")[2].strip(), done.stdout
