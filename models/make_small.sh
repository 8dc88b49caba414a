#!/bin/sh
# Makes models/small.safetensors again, from nano.
#
#   models/make_small.sh DATA RUN
#
# DATA holds {math,books,code}/{train,validation}.jsonl.zst as models/nano.md describes them, code with the packages that
# models/small.md names. RUN is the folder of models/make_nano.sh with its shards and tokenizer made; the weights begin as
# the shipped nano's. Two hours on two cores with AVX512-BF16; elsewhere add --set precision=fp32 to both trainings and
# expect two to three times as long.
set -eu
here=$(cd "$(dirname "$0")/.." && pwd)
data=${1:?folder of the corpora} run=${2:?folder of nano\'s run}
lab=${RPT_LAB:-$here/build/release/bin/rpt-lab}
tokenizer=$run/data/tokenizer.json
[ -f "$run/data/codefiles.train.shard.json" ] || "$lab" data prepare "code=$data/code/train.jsonl.zst" --split-files \
    --tokenizer "$tokenizer" --out "$run/data/codefiles.train.shard"
"$lab" train "$here/configs/small_from_nano.json" --data-dir "$run/data" --out "$run/small_from_nano" --resume \
    --start "$here/models/nano.safetensors" --fresh memory.key --fresh memory.query
"$lab" export "$run/small_from_nano/checkpoint.safetensors" --tokenizer "$tokenizer" --out "$run/small_from_nano.safetensors" --half
"$lab" train "$here/configs/small.json" --data-dir "$run/data" --out "$run/small" --resume --start "$run/small_from_nano.safetensors"
"$lab" export "$run/small/checkpoint.safetensors" --tokenizer "$tokenizer" --out "$run/small.safetensors" --half --name small --read-neighbours 8
