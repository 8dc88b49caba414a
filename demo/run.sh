#!/bin/sh
# One process reads a book from a pipe into a memory on disk and ends. A second process opens that memory and continues
# a later passage of the book, which it has not read; then that passage is measured with the memory and without.
set -eu
cd "$(dirname "$0")/.."
rpt=${RPT:-build/release/bin/rpt}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
store=$work/memory

step() { printf '\n== %s\n' "$*"; }

step "1. a process reads the book from a pipe, in pieces, and ends"
cat demo/book.txt | "$rpt" add "$store" - --key book
"$rpt" memory stat "$store"

step "2. another process continues a later passage with that memory"
# the beginning of the chapter is the prompt
head -c 2368 demo/passage.txt >"$work/prompt.txt"
"$rpt" complete "$store" --file "$work/prompt.txt" --max-tokens 96 --temperature 0.7 --seed 7 --explain

step "3. how surprising the whole chapter is with the memory, with its own past alone, and without any"
"$rpt" score "$store" demo/passage.txt
"$rpt" score - demo/passage.txt
"$rpt" score - demo/passage.txt --no-memory
