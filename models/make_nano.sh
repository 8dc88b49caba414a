#!/bin/sh
# Makes models/nano.safetensors again: tokenizer, shards, training, export.
#
#   models/make_nano.sh DATA RUN
#
# DATA holds {math,books,code}/{train,validation}.jsonl.zst as models/nano.md describes them. RUN is an empty folder, or
# one that was interrupted: training goes on from its checkpoint. About an hour on one core with AVX512-BF16; elsewhere
# add --set precision=fp32 and expect two to three times as long.
set -eu
here=$(cd "$(dirname "$0")/.." && pwd)
data=${1:?folder of the corpora} run=${2:?folder of the run}
lab=${RPT_LAB:-$here/build/release/bin/rpt-lab}
mkdir -p "$run/data"
tokenizer=$run/data/tokenizer.json
[ -f "$tokenizer" ] || "$lab" tokenizer train "$data/math/train.jsonl.zst" "$data/books/train.jsonl.zst" \
    "$data/code/train.jsonl.zst" --max-bytes 15MB --vocab 8192 --out "$tokenizer"
for part in validation train; do
    for corpus in math code books; do
        [ -f "$run/data/$corpus.$part.shard.json" ] && continue
        limit=
        [ "$corpus$part" = bookstrain ] && limit="--max-bytes 120MB"
        # shellcheck disable=SC2086
        "$lab" data prepare "$corpus=$data/$corpus/$part.jsonl.zst" --tokenizer "$tokenizer" \
            --out "$run/data/$corpus.$part.shard" $limit
    done
done
"$lab" train "$here/configs/nano.json" --data-dir "$run/data" --out "$run/nano" --resume --set threads=1
"$lab" export "$run/nano/checkpoint.safetensors" --tokenizer "$tokenizer" --out "$run/nano.safetensors" --half --name nano
