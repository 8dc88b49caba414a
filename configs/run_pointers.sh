#!/bin/sh
# Gives trained rows a pointer and evaluates them with it, on the documents that run_rows.sh evaluates on. What is there
# already is kept.
#
#   configs/run_pointers.sh DATA RUNS ROW...
#
# DATA   {math,code,books}.{train,validation}.shard and {math,code,pg19}.test.shard (rpt-lab data prepare)
# RUNS   holds ROW.SEED/checkpoint.safetensors (configs/run_rows.sh), and gets ROW.SEED/pointer.safetensors, fit.jsonl
#        (its gain on validation documents) and pointer.json.zst (the evaluation)
#
# Environment: LAB (the program), SEED (1), LAYER (of the states, 0: after all), WIDTH, SPANS (of each training shard),
# VALIDATION_SPANS, STEPS, BLOCKS, EVERY (see rpt-lab memory row), TOKENS (of a span), DOCUMENTS (of each test corpus), TESTS
# (names of the test shards).
set -eu
here=$(cd "$(dirname "$0")" && pwd)
[ $# -ge 3 ] || { sed -n '2,13s/^# \{0,1\}//p' "$0" >&2; exit 2; }
data=$1 runs=$2
shift 2
lab=${LAB:-$here/../build/release/bin/rpt-lab}
tokens=${TOKENS:-16384}

shards() {  # WHICH
    for corpus in math code books; do echo "$data/$corpus.$1.shard"; done
}

for row in "$@"; do
    run=$runs/$row.${SEED:-1}
    # shellcheck disable=SC2046
    [ -e "$run/pointer.safetensors" ] || "$lab" memory row "$run/checkpoint.safetensors" --train $(shards train) \
        --validation $(shards validation) --out "$run/pointer.safetensors" --layer "${LAYER:-0}" --width "${WIDTH:-128}" \
        --spans "${SPANS:-16}" --validation-spans "${VALIDATION_SPANS:-6}" --tokens "$tokens" --steps "${STEPS:-600}" \
        --blocks "${BLOCKS:-4}" --every "${EVERY:-100}" --json > "$run/fit.jsonl"
    # shellcheck disable=SC2046
    [ -e "$run/pointer.json.zst" ] || "$lab" eval "$run/checkpoint.safetensors" --pointer "$run/pointer.safetensors" \
        $(for test in ${TESTS:-math code pg19}; do echo "$data/$test.test.shard"; done) --rows usual,pointer --chunks \
        --max-tokens "$tokens" --max-documents "${DOCUMENTS:-8}" --out "$run/pointer.json.zst"
done
