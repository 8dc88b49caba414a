#!/bin/sh
# SmolLM2 reads two chapters of a book, a small repository and a few notes into a memory. Then it goes on with a later
# chapter, with a function, and with a sentence about a note, each with the memory and without.
set -eu
cd "$(dirname "$0")/.."
rpt=${RPT:-build/release/bin/rpt}
model=${RPT_DEMO_MODEL:-smollm2-135m}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
store=$work/memory

step() { printf '\n== %s\n' "$*"; }
# complete COLLECTION OPTION...: the same with the memory and without
complete() {
    collection=$1
    shift
    printf -- '-- with the memory\n'
    "$rpt" complete "$store" --collection "$collection" "$@"
    printf -- '\n-- without\n'
    "$rpt" complete "$store" --collection "$collection" --no-memory "$@"
}

step "it reads chapters XXV and XXVI of a book, seven files of this project, five notes"
sed -n '/^CHAPTER XXV\.$/,$p' demo/book.txt >"$work/book.txt"
"$rpt" add "$store" "$work/book.txt" --key book --collection book --model "$model"
# as a copy: in the tree they are files of a larger repository
mkdir "$work/repository"
cp apps/rpt/command_memory_budget.cc apps/rpt/command_memory_compact.cc apps/rpt/command_memory_upgrade.cc \
    apps/rpt/memory_access.h apps/rpt/output.h apps/rpt/quantities.h apps/rpt/workplace.h "$work/repository"
"$rpt" add "$store" "$work/repository" --collection code
"$rpt" add "$store" demo/notes.md --key notes --collection notes

step "chapter XXVII, which it has not read: how surprising is its beginning?"
sed '/^safety!$/q' demo/passage.txt >"$work/passage.txt"
"$rpt" score "$store" "$work/passage.txt" --collection book | sed "s|$store|memory|"
"$rpt" score "$store" "$work/passage.txt" --collection book --no-memory
step "and how does it go on? ... $(head -c 2368 demo/passage.txt | tail -c 196 | tr '\n' ' ')"
head -c 2368 demo/passage.txt >"$work/prompt.txt"
complete book --file "$work/prompt.txt" --max-tokens 40 --temperature 0.7 --seed 1

step "a function of a file that it has not read: apps/rpt/command_memory_rebuild_index.cc"
# up to the line that begins the function, without its end: a token may begin with the end of a line
sed '/^void register_/q' apps/rpt/command_memory_rebuild_index.cc | head -c -1 >"$work/prompt.cc"
tail -n 1 "$work/prompt.cc"
printf '\n'
complete code --file "$work/prompt.cc" --max-tokens 32 --temperature 0

step "a note: The spare key of the boat house hangs ..."
complete notes --prompt "Where is the spare key of the boat house? It hangs" --max-tokens 12 --temperature 0
