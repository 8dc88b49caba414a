#!/bin/sh
# Trains rows of the paper with every seed and evaluates them on the test documents; what is there already is kept and
# what was stopped goes on.
#
#   configs/run_rows.sh TIER DATA RUNS [ROW...]      all rows if none is named
#
# TIER   name of a file in configs/tiers: b (a processor), c, d (a GPU)
# DATA   {math,code,books}.{train,validation}.shard and {math,code,pg19}.test.shard (rpt-lab data prepare)
# RUNS   gets ROW.SEED/ with config.json, log.jsonl, checkpoint.safetensors, test.json
#
# Environment: LAB (the program), SEEDS ("1 2": weights and draws; the order of the data is that of seed 1 in all),
# SCORER (a model or checkpoint that scores targets for rows with lm_scores; RUNS/retro.1's by default, which is trained
# first), CONTEXT (memory or prefix), TOP, EVERY (see rpt-lab targets), TOKENS (read of each test document), DEVICE,
# SET (more --set words).
set -eu
here=$(cd "$(dirname "$0")" && pwd)
[ $# -ge 3 ] || { sed -n '2,14s/^# \{0,1\}//p' "$0" >&2; exit 2; }
tier=$here/tiers/$1.json data=$2 runs=$3
shift 3
[ $# -gt 0 ] || set -- $(cd "$here/rows" && ls *.json | sed 's/\.json$//')
lab=${LAB:-$here/../build/release/bin/rpt-lab}
device=${DEVICE:-cpu}
mkdir -p "$runs"

train() {  # ROW SEED
    out=$runs/$1.$2
    "$lab" train "$here/rows/$1.json" --tier "$tier" --data-dir "$data" --out "$out" --resume --device "$device" \
        --set data_seed=1 seed="$2" ${SET:-}
}

evaluate() {  # ROW SEED
    out=$runs/$1.$2
    [ ! -e "$out/test.json" ] || return 0
    case $1 in rpt_sem) k="-k 2,3,4" ;; *) k= ;; esac
    [ ! -e "$runs/test.targets" ] || k="$k --targets $runs/test.targets"
    [ ! -e "$runs/dpr.safetensors" ] || k="$k --dpr $runs/dpr.safetensors"
    "$lab" eval "$out/checkpoint.safetensors" "$data/math.test.shard" "$data/code.test.shard" "$data/pg19.test.shard" \
        --max-tokens "${TOKENS:-16384}" --max-documents "${DOCUMENTS:-12}" --chunks $k --device "$device" \
        --out "$out/test.json"
}

scorer=${SCORER:-$runs/retro.1/checkpoint.safetensors}
score() {
    how="--scorer $scorer --context ${CONTEXT:-memory} --device $device"
    "$lab" targets "$here/rows/rpt_sem.json" --tier "$tier" --data-dir "$data" --out "$data/targets.cache" $how \
        --top "${TOP:-8}" --every "${EVERY:-2}" --set data_seed=1 ${SET:-}
}

for seed in ${SEEDS:-1 2}; do
    for row in "$@"; do
        if grep -q lm_scores "$here/rows/$row.json" || grep -q '"parent": "rpt_sem' "$here/rows/$row.json"; then
            [ -e "$scorer" ] || train retro 1
            score
        fi
        train "$row" "$seed"
        evaluate "$row" "$seed"
    done
done
