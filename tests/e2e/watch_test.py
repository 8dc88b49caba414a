"""rpt add --watch: the memory follows the files, and never lets go of one by mistake."""
import contextlib
import os
import shutil
import signal
import subprocess
import threading
import time

from conftest import RPT

PATIENCE_S = 120  # a guard against hanging, not a measure


class Watcher:
    def __init__(self, models, folder, *words):
        self.folder = folder
        self.process = subprocess.Popen([RPT, "add", "mem", *words, "--watch", "--model", str(models[0]), "--threads", "1"], cwd=folder,
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.err = []
        self.readers = [threading.Thread(target=self._keep, args=(self.process.stderr,), daemon=True),
                        threading.Thread(target=self._keep, args=(self.process.stdout,), daemon=True)]
        for reader in self.readers:
            reader.start()

    def _keep(self, stream):
        for line in stream:
            self.err.append(line)

    def text(self, key):
        done = subprocess.run([RPT, "memory", "show", "mem", key, "--text"], cwd=self.folder, capture_output=True, text=True)
        return done.stdout if done.returncode == 0 else None

    def until(self, holds):
        end = time.monotonic() + PATIENCE_S
        while not holds():
            assert self.process.poll() is None, self.err
            assert time.monotonic() < end, self.err
            time.sleep(0.1)

    def holds(self, key, text):
        self.until(lambda: self.text(key) == text)

    def lacks(self, key):
        self.until(lambda: self.text(key) is None)


@contextlib.contextmanager
def watching(models, folder, *words):
    watcher = Watcher(models, folder, *words)
    try:
        yield watcher
        assert watcher.process.poll() is None, watcher.err
        watcher.process.send_signal(signal.SIGINT)
        assert watcher.process.wait(PATIENCE_S) in (0, 130)
    finally:
        watcher.process.kill()


def plant(tmp_path, **files):
    for name, text in files.items():
        path = tmp_path / "d" / (name.replace("__", "/") + ".txt")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path / "d"


def test_watch_reads_a_file_that_stays_open_while_it_grows(models, tmp_path):
    folder = plant(tmp_path, log="first\n")
    with watching(models, tmp_path, "d") as watcher, open(folder / "log.txt", "a") as log:
        watcher.holds("d/log.txt", "first\n")
        log.write("second\n")
        log.flush()
        watcher.holds("d/log.txt", "first\nsecond\n")


def test_watch_sees_an_edit_beside_a_file_that_never_rests(models, tmp_path):
    folder = plant(tmp_path, a="first", busy="0")
    going = True

    def keep_busy():
        number = 0
        while going:
            number += 1
            (folder / "busy.txt").write_text(str(number))
            time.sleep(0.02)

    with watching(models, tmp_path, "d") as watcher:
        watcher.holds("d/a.txt", "first")
        writer = threading.Thread(target=keep_busy)
        writer.start()
        try:
            (folder / "a.txt").write_text("second")
            watcher.holds("d/a.txt", "second")
        finally:
            going = False
            writer.join()


def test_watch_follows_the_ways_editors_save_and_renamed_folders(models, tmp_path):
    folder = plant(tmp_path, over="first", backup="first", sub__in="first")
    with watching(models, tmp_path, "d") as watcher:
        watcher.holds("d/sub/in.txt", "first")
        (folder / ".tmp").write_text("second")
        (folder / ".tmp").rename(folder / "over.txt")
        (folder / "backup.txt").rename(folder / "backup.txt~")
        (folder / "backup.txt").write_text("second")
        (folder / "backup.txt~").unlink()
        (folder / "sub").rename(folder / "sub2")
        (folder / "sub2").rename(folder / "sub3")
        watcher.holds("d/over.txt", "second")
        watcher.holds("d/backup.txt", "second")
        watcher.holds("d/sub3/in.txt", "first")
        watcher.lacks("d/sub/in.txt")
        (folder / "sub3/in.txt").write_text("second")
        watcher.holds("d/sub3/in.txt", "second")
        (folder / "new/deep").mkdir(parents=True)
        (folder / "new/deep/f.txt").write_text("fresh")
        watcher.holds("d/new/deep/f.txt", "fresh")


def test_watch_lives_through_odd_names_and_lets_go_of_what_is_no_text(models, tmp_path):
    folder = plant(tmp_path, a="first", b="a secret")
    with watching(models, tmp_path, "d") as watcher:
        watcher.holds("d/b.txt", "a secret")
        (folder / os.fsdecode(b"odd\xff")).write_text("odd")
        watcher.holds("escaped:d/odd%FF", "odd")
        (folder / "b.txt").write_bytes(b"\0\1")
        watcher.lacks("d/b.txt")
        (folder / "a.txt").write_text("second")
        watcher.holds("d/a.txt", "second")


def test_watch_notices_at_the_start_what_went_while_nobody_watched(rpt, models, tmp_path):
    folder = plant(tmp_path, a="first", b="a secret", c="hidden since")
    rpt("add", "mem", "d")
    (folder / "b.txt").unlink()
    (folder / ".gitignore").write_text("c.txt\n")
    with watching(models, tmp_path, "d") as watcher:
        watcher.lacks("d/b.txt")
        assert watcher.text("d/c.txt") == "hidden since"  # it is there; --prune would delete it


def test_watch_keeps_what_a_folder_held_that_is_gone_or_empty_as_a_whole(rpt, models, tmp_path):
    folder = plant(tmp_path, a="first")
    (tmp_path / "e").mkdir()
    (tmp_path / "e/e.txt").write_text("of another disk")
    rpt("add", "mem", "d", "e")
    (tmp_path / "e/e.txt").unlink()
    with watching(models, tmp_path, "d", "e") as watcher:
        (folder / "b.txt").write_text("second")
        watcher.holds("d/b.txt", "second")
        folder.rename(tmp_path / "away")
        (tmp_path / "e/f.txt").write_text("third")
        watcher.holds("e/f.txt", "third")
        assert watcher.text("d/a.txt") == "first" and watcher.text("e/e.txt") == "of another disk"
        (tmp_path / "away").rename(folder)
        (folder / "a.txt").write_text("back")
        watcher.holds("d/a.txt", "back")


def test_watch_ends_when_its_memory_is_gone(models, tmp_path):
    folder = plant(tmp_path, a="first")
    watcher = Watcher(models, tmp_path, "d")
    try:
        watcher.holds("d/a.txt", "first")
        shutil.rmtree(tmp_path / "mem")
        assert watcher.process.wait(PATIENCE_S) == 1
        watcher.readers[0].join()
        assert any("removed or replaced" in line for line in watcher.err), watcher.err
        assert not (tmp_path / "mem").exists()
    finally:
        watcher.process.kill()


def test_watch_of_a_project_that_holds_its_memory_comes_to_rest(models, tmp_path):
    (tmp_path / "a.txt").write_text("first")
    words = [RPT, "add", ".", ".", "--watch", "--json", "--model", str(models[0]), "--threads", "1"]
    process = subprocess.Popen(words, cwd=tmp_path, stdout=subprocess.PIPE, text=True)
    try:
        assert '"documents":1' in process.stdout.readline()
        (tmp_path / "b.txt").write_text("second")
        assert '"documents":1' in process.stdout.readline()
        listed = subprocess.run([RPT, "memory", "list", "."], cwd=tmp_path, capture_output=True, text=True).stdout
        assert len(listed.splitlines()) == 2, listed
        process.send_signal(signal.SIGINT)
        assert process.wait(PATIENCE_S) in (0, 130)
    finally:
        process.kill()


def test_watch_of_nothing_that_is_there_ends(rpt, tmp_path):
    assert '"missing"' in rpt("add", "mem", "missing", "--watch", code=1).err


def test_watch_ends_when_nobody_reads_what_it_tells(models, tmp_path):
    folder = plant(tmp_path, a="first")
    process = subprocess.Popen([RPT, "add", "mem", "d", "--watch", "--model", str(models[0]), "--threads", "1"], cwd=tmp_path,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        assert process.stdout.readline()
        process.stdout.close()
        (folder / "a.txt").write_text("second")
        assert process.wait(PATIENCE_S) == 0
        assert process.stderr.read() == ""
    finally:
        process.kill()
