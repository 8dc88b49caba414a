"""What the README prints is what the tests compile, and what pages link to exists."""
import pathlib
import re

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text()
PAGES = sorted({*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "models").glob("*.md"),
                *(ROOT / "demo").glob("*.md"), *(ROOT / "abi").glob("*.md")})
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")


def anchors(page):
    """The names that headings of a page get on the web: lower case, words and digits, spaces as dashes."""
    for heading in re.findall(r"^#+ +(.*)$", re.sub(r"```.*?```", "", page, flags=re.S), re.M):
        plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).lower()
        yield re.sub(r"[^\w\- ]", "", plain).strip().replace(" ", "-")


def broken_links(page, text):
    for target in LINK.findall(text):
        if "://" in target or target.startswith("mailto:"):
            continue
        path, _, anchor = target.partition("#")
        file = (page.parent / path) if path else page
        if not file.exists():
            yield f"{target}: no such file"
        elif anchor and anchor not in anchors(file.read_text()):
            yield f"{target}: no such heading"


def test_readme_example_is_the_compiled_one():
    printed = re.search(r"```c\n(.*?)```", README, re.S).group(1)
    assert printed == (ROOT / "apps/example/hello.c").read_text()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_of_documents_lead_somewhere(page):
    assert list(broken_links(page, page.read_text())) == []


def test_links_that_lead_nowhere_are_noticed():
    page = ROOT / "README.md"
    assert list(broken_links(page, "[a](docs/no-such-page.md) [b](docs/README.md#no-such-heading) [c](#where-things-are)")) == [
        "docs/no-such-page.md: no such file", "docs/README.md#no-such-heading: no such heading"]


def test_docs_index_names_every_page():
    index = (ROOT / "docs/README.md").read_text()
    linked = {(ROOT / "docs" / target.partition("#")[0]).resolve() for target in LINK.findall(index)}
    below = {page for page in (ROOT / "docs").glob("*.md") if page.name != "README.md"}
    assert below - linked == set()


def test_decisions_index_names_every_record():
    index = (ROOT / "docs/decisions/README.md").read_text()
    records = {page.name for page in (ROOT / "docs/decisions").glob("[0-9]*.md")}
    assert records == set(re.findall(r"\]\((\d{3}-[^)]*\.md)\)", index))
