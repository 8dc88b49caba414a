"""What the README prints is what the tests compile, and what it links to exists."""
import pathlib
import re

ROOT = pathlib.Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text()


def test_readme_example_is_the_compiled_one():
    printed = re.search(r"```c\n(.*?)```", README, re.S).group(1)
    assert printed == (ROOT / "apps/example/hello.c").read_text()


def test_links_of_documents_lead_somewhere():
    broken = []
    for page in [ROOT / "README.md", *(ROOT / "docs").rglob("*.md"), *(ROOT / "models").glob("*.md")]:
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text()):
            if not (page.parent / target).exists():
                broken.append(f"{page.relative_to(ROOT)} -> {target}")
    assert not broken, broken
