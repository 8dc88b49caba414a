# Completion of rpt for bash.
_rpt_documents() {
    # keys of the memory that was named; --owner and --collection as far as they were given
    rpt memory list "$1" 2>/dev/null | sed -n 's/^[^ ]*  \(.*\)  [0-9.]* [KMGT]*i*B  .*/\1/p'
}

_rpt() {
    local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD-1]}
    local common="--help --json --quiet --timeout"
    local space="--owner --collection"
    local model="--model --threads --cache"
    local commands="add search complete score chat memory model bench"
    local word command= first= store= index
    COMPREPLY=()

    for ((index = 1; index < COMP_CWORD; index++)); do
        word=${COMP_WORDS[index]}
        [[ $word == -* ]] && continue
        if [[ -z $command ]]; then
            command=$word
        elif [[ $command == memory || $command == model ]]; then
            command="$command $word"
        elif [[ -z $store ]]; then
            store=$word
        fi
    done

    case $previous in
        --file|-f|--suffix-file|--text|--out) [[ $command != "memory show" ]] && { COMPREPLY=($(compgen -f -- "$current")); return; } ;;
        --model|-m) COMPREPLY=($(compgen -f -- "$current") $(compgen -W nano -- "$current")); return ;;
        --dir) COMPREPLY=($(compgen -d -- "$current")); return ;;
        --timeout|--owner|--collection|--threads|--cache|--neighbours|--key|-k|--prompt|-p|--suffix|--max-tokens|-n|--temperature|-t|--top-k|\
--top-p|--repeat-penalty|--seed|--stop|--chunk|--tokens|--since|--before|--path|--line|--system|--notes) return ;;
        --encoding) COMPREPLY=($(compgen -W "utf-16le utf-16be windows-1252 iso-8859-15 shift_jis gb18030 koi8-r" -- "$current")); return ;;
        --read) COMPREPLY=($(compgen -W "cca copy" -- "$current")); return ;;
        --leg) COMPREPLY=($(compgen -W "keys words grams definitions states" -- "$current")); return ;;
        --states) COMPREPLY=($(compgen -W "fp16 int8 int4 low-rank" -- "$current")); return ;;
    esac

    case $command in
        "") first="$commands --help --version --json" ;;
        add) first="$common $space $model --key --replace --prune --watch --states --encoding --lossy --html-source --wait" ;;
        search) first="$common $space $model --file -k --exact --leg --why --since --before --path" ;;
        complete) first="$common $space $model --prompt --file --line --suffix --suffix-file --max-tokens --temperature --top-k --top-p
            --repeat-penalty --seed --stop --explain --no-memory --neighbours --read" ;;
        score) first="$common $space $model --no-memory --by-chunk --neighbours --read" ;;
        chat) first="$common $space $model --system --notes --max-tokens --temperature --top-k --top-p --repeat-penalty --seed --wait" ;;
        bench) first="$common $model --tokens --quick --text --dir" ;;
        memory) first="list stat show delete drop rebuild-index budget compact backup restore check upgrade --help" ;;
        "memory list") first="$common $space" ;;
        "memory stat"|"memory backup"|"memory restore") first="$common" ;;
        "memory rebuild-index"|"memory compact"|"memory upgrade") first="$common --wait" ;;
        "memory budget") first="$common $space --of-space --wait" ;;
        "memory check") first="$common $model --quick --deep" ;;
        "memory show") first="$common $space --chunk --record --segments --text" ;;
        "memory delete") first="$common $space --wait" ;;
        "memory drop") first="$common $space --yes --all-collections --wait" ;;
        model) first="info import list --help" ;;
        "model info") first="$common $model" ;;
        "model import") first="$common --out --replace" ;;
        "model list") first="$common" ;;
    esac

    if [[ $current == -* || $command == "" || $command == memory || $command == model ]]; then
        COMPREPLY=($(compgen -W "$first" -- "$current"))
    elif [[ ($command == "memory show" || $command == "memory delete") && -n $store ]]; then
        local IFS=$'\n'
        COMPREPLY=($(compgen -W "$(_rpt_documents "$store")" -- "$current"))
    else
        local IFS=$'\n'
        COMPREPLY=($(compgen -f -- "$current"))
    fi
}
complete -o filenames -F _rpt rpt
