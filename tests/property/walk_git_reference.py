"""The files that a walk finds against those that git shows, over random trees with random rule files.

Usage: python walk_git_reference.py WALK_LIST_PROGRAM [TREES]
"""
import os
import pathlib
import random
import re
import shutil
import subprocess
import sys
import tempfile

NAMES = ["a", "b", "x", "y", "ab", "a.c", "b.c", "x.log", "7.log", "A.LOG", "build", "vendor", "keep.txt", "#n", "!n", "sp ace",
         "end ", "back\\slash", "br[a]", "]", "caf\u00e9", "-", "*", "a?c"]
PIECES = ["*", "*", "**", "?", "a", "b", "x", "y", "/", "/", "/", ".c", ".log", "[a-x]", "[!a]", "[]a]", "[[:digit:]]", "[^[:alpha:]]", "build",
          "vendor", "**/", "/**", "keep.txt", "\\a", "\\*", "\\", "[", "[a", "caf?", "caf\u00e9", "[z-a]", "***", "A", "[a-]", "[\\]]", "[[:no:]]"]
ENDS = ["\n", "\n", "\n", "\r\n", " \n", "  \n", "\t\n", "\\ \n", "\n\n", "\n# note\n"]
# Where "**" follows a byte other than these, git 2.39 compares addresses of unrelated strings: its answer is chance.
ROUNDS = 10
CHANCE = re.compile(r"(?<![/!*])\*\*")


def rule(rng):
    while True:
        text = "".join(rng.choice(PIECES) for _ in range(rng.randint(1, 5)))
        if rng.random() < 0.25:
            text = "!" + text
        if rng.random() < 0.2:
            text += "/"
        if not CHANCE.search("/" + text):
            return text + rng.choice(ENDS)


def rules(rng):
    text = "".join(rule(rng) for _ in range(rng.randint(1, 4)))
    if rng.random() < 0.05:
        text = "\ufeff" + text
    return text if rng.random() < 0.8 else text.rstrip("\n")


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, newline="")


def plant(rng, folder, depth=0):
    """A few files and folders with rule files here and there."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in rng.sample(NAMES, rng.randint(1, 5)):
        if depth < 3 and rng.random() < 0.4:
            plant(rng, folder / name, depth + 1)
        else:
            write(folder / name, "x")
    if depth == 0 or rng.random() < 0.3:
        write(folder / ".gitignore", rules(rng))


def git(folder, *words):
    return subprocess.run(["git", "-C", str(folder), *words], capture_output=True, check=True).stdout


def repository(folder, rng):
    git(folder.parent, "init", "-q", folder.name)
    write(folder / ".git/info/exclude", rules(rng))


def shown_by_git(folder):
    """What git shows as untracked; of a repository within, what git shows there."""
    found = set()
    for name in git(folder, "ls-files", "-z", "-o", "--exclude-standard").decode().split("\0"):
        if name.endswith("/"):
            found |= {name + below for below in shown_by_git(folder / name)}
        elif name and not (folder / name).is_symlink():
            found.add(name)
    return found


def found_by_walk(program, folder):
    done = subprocess.run([program, str(folder)], capture_output=True, timeout=600)
    assert done.returncode == 0, (done.returncode, done.stderr)
    return {name for name in done.stdout.decode().split("\0") if name}


def compare(program, folder):
    want, got = shown_by_git(folder), found_by_walk(program, folder)
    for name in sorted(want ^ got)[:20]:
        print(f"{folder.name}: {name!r}:", "git shows it, the walk does not" if name in want else "the walk finds it, git ignores it")
        top = folder / name.split("/")[0]
        for file in sorted(top.rglob(".gitignore"))[:5] if top.is_dir() else []:
            print("   ", file.relative_to(folder), repr(file.read_text()))
    return len(want), len(want ^ got)


def main():
    program, n_trees = os.path.abspath(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 3000
    rng = random.Random(20)
    work = pathlib.Path(tempfile.mkdtemp())
    home = work / "home"
    os.environ.update(HOME=str(home), XDG_CONFIG_HOME=str(home / ".config"), GIT_CONFIG_NOSYSTEM="1")
    n_files = n_wrong = 0
    try:
        # many trees side by side in a few repositories, each with rules of its own outside the tree
        for number in range(ROUNDS):
            forest = work / f"forest{number}"
            forest.mkdir()
            repository(forest, rng)
            shutil.rmtree(home, ignore_errors=True)
            if number % 3 == 0:
                write(home / ".config/git/ignore", rule(rng))
            elif number % 3 == 1:
                write(home / ".gitconfig", '[include]\n\tpath = more\n[core]\n')
                write(home / "more", '[Core] ; a note\n  excludesFile = "~/own rules" # another\n')
                write(home / "own rules", rule(rng))
            for tree in range(n_trees // ROUNDS):
                plant(rng, forest / f"t{tree}")
            files, wrong = compare(program, forest)
            n_files, n_wrong = n_files + files, n_wrong + wrong
            # the same from within: rules of the folders above count
            below = forest / "t0"
            inside = {"t0/" + name for name in found_by_walk(program, below)}
            if subprocess.run(["git", "-C", str(forest), "check-ignore", "-q", "t0"]).returncode != 0:
                n_wrong += len(inside ^ {name for name in shown_by_git(forest) if name.startswith("t0/")})
        # repositories within repositories
        for number in range(max(1, n_trees // 60)):
            outer = work / f"nest{number}"
            plant(rng, outer)
            repository(outer, rng)
            for place in ("inner", "a/inner"):
                if rng.random() < 0.7 and not (outer / place).parent.is_file():
                    plant(rng, outer / place)
                    repository(outer / place, rng)
            files, wrong = compare(program, outer)
            n_files, n_wrong = n_files + files, n_wrong + wrong
    finally:
        shutil.rmtree(work)
    print(f"{n_files} files shown by git, {n_wrong} answers differ")
    return n_wrong != 0 or n_files < n_trees


if __name__ == "__main__":
    sys.exit(main())
