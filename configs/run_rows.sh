#!/bin/sh
# Trains rows of the paper with every seed and evaluates them on the test documents; what is there already is kept and
# what was stopped goes on.
#
#   configs/run_rows.sh TIER DATA RUNS [ROW...]      all rows if none is named
#
# TIER   name of a file in configs/tiers: b (a processor), c, d (a GPU); or a path
# DATA   {math,code,books}.{train,validation}.shard and {math,code,pg19}.test.shard (rpt-lab data prepare)
# RUNS   gets ROW.SEED/ with config.json, log.jsonl, checkpoint.safetensors, test.json.zst; and target scores of the test
#        documents (test.targets) and the DPR-style retriever (dpr.safetensors), for rows that read chunks
#
# Environment: LAB (the program), SEEDS ("1 2": weights and draws; the order of the data is that of seed 1 in all),
# SCORER (a model or checkpoint that scores targets; RUNS/retro.1's by default, which is trained first), CONTEXT (memory or
# prefix), TOP, EVERY (see rpt-lab targets), TEST_TOP (the same for the test documents), TOKENS (read of each test document),
# DOCUMENTS (of each corpus), DPR_STEPS, DEVICE, SET (more --set words).
set -eu
here=$(cd "$(dirname "$0")" && pwd)
[ $# -ge 3 ] || { sed -n '2,15s/^# \{0,1\}//p' "$0" >&2; exit 2; }
case $1 in */*) tier=$1 ;; *) tier=$here/tiers/$1.json ;; esac
data=$2 runs=$3
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

reads_chunks() {  # ROW
    case $1 in transformer_xl* | memorizing* | block_recurrent | griffin) return 1 ;; esac
}

needs_scores() {  # ROW
    grep -q 'lm_scores\|"parent": "rpt_sem' "$here/rows/$1.json"
}

# Target scores are of a pool rule's candidates; one row has another rule than all others.
pool() {  # ROW
    [ "$1" != reference_compat ] || echo .window_start
}

scorer=${SCORER:-$runs/retro.1/checkpoint.safetensors}
score() {  # ROW FILE, and what to score
    [ -e "$scorer" ] || train retro 1
    config=rpt_sem cache=$2
    [ -z "$(pool "$1")" ] || config=$1
    shift 2
    "$lab" targets "$here/rows/$config.json" --tier "$tier" --data-dir "$data" --out "$cache" --scorer "$scorer" \
        --context "${CONTEXT:-memory}" --device "$device" "$@"
}

evaluate() {  # ROW SEED
    run=$runs/$1.$2
    [ ! -e "$run/test.json.zst" ] || return 0
    set -- "$1" "$data/math.test.shard" "$data/code.test.shard" "$data/pg19.test.shard" \
        --max-tokens "${TOKENS:-16384}" --max-documents "${DOCUMENTS:-8}"
    row=$1
    shift
    if reads_chunks "$row"; then
        gold=$runs/test$(pool "$row").targets
        [ -e "$gold.json" ] || score "$row" "$gold" --top "${TEST_TOP:-10}" --shards "$@"
        [ -e "$runs/dpr.safetensors" ] || "$lab" dpr "$here/rows/rpt_lex.json" --tier "$tier" --data-dir "$data" \
            --steps "${DPR_STEPS:-120}" --out "$runs/dpr.safetensors" --device "$device"
        # every choice of neighbours with as many as in the paper, the row's own choice with more
        choices=dpr,oracle_scores,oracle,bm25,random,none,usual,usual@8
        [ "$row" != rpt_sem ] || choices=$choices,own@3,own@4
        set -- "$@" --targets "$gold" --dpr "$runs/dpr.safetensors" --rows $choices
    fi
    "$lab" eval "$run/checkpoint.safetensors" "$@" --chunks --device "$device" --out "$run/test.json.zst"
}

for seed in ${SEEDS:-1 2}; do
    for row in "$@"; do
        if needs_scores "$row"; then
            score "$row" "$data/targets$(pool "$row").cache" --top "${TOP:-8}" --every "${EVERY:-2}" --set data_seed=1 ${SET:-}
        fi
        train "$row" "$seed"
        evaluate "$row" "$seed"
    done
done
