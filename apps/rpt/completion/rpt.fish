# Completion of rpt for fish.
set -l commands add search complete score chat memory model bench
set -l memory list stat show delete drop rebuild-index budget compact backup restore check upgrade

function __rpt_at
    # whether the words so far name this command; "memory show" takes two
    set -l words (commandline -opc)
    set -e words[1]
    set words (string match -v -- '-*' $words)
    test (count $words) -ge (count $argv); or return 1
    for i in (seq (count $argv))
        test "$words[$i]" = "$argv[$i]"; or return 1
    end
end

complete -c rpt -n "not __fish_seen_subcommand_from $commands" -f
complete -c rpt -n "not __fish_seen_subcommand_from $commands" -a add -d 'Read files, directories or stdin into a memory'
complete -c rpt -n "not __fish_seen_subcommand_from $commands" -a search -d 'Show what the model would retrieve after a text'
complete -c rpt -n "not __fish_seen_subcommand_from $commands" -a complete -d 'Continue a text with what the memory holds'
complete -c rpt -n "not __fish_seen_subcommand_from $commands" -a score -d 'Measure how surprising a text is'
complete -c rpt -n "not __fish_seen_subcommand_from $commands" -a chat -d 'Talk; what is said is remembered'
complete -c rpt -n "not __fish_seen_subcommand_from $commands" -a memory -d 'Administration of a memory'
complete -c rpt -n "not __fish_seen_subcommand_from $commands" -a model -d 'Import, list and describe models'
complete -c rpt -n "not __fish_seen_subcommand_from $commands" -a bench -d 'Measure this machine'
complete -c rpt -n "not __fish_seen_subcommand_from $commands" -s V -l version -d 'Print versions'
complete -c rpt -n "__rpt_at memory; and not __fish_seen_subcommand_from $memory" -f -a "$memory"
complete -c rpt -n "__rpt_at model; and not __fish_seen_subcommand_from info import list" -f -a 'info import list'
complete -c rpt -n "__rpt_at model import" -r -l out -d 'The package to write'
complete -c rpt -n "__rpt_at model import" -l replace -d 'Replace a package that is there'

complete -c rpt -s h -l help -d 'Show help'
complete -c rpt -l json -d 'Print one JSON object and nothing else'
complete -c rpt -n "__fish_seen_subcommand_from $commands" -s q -l quiet -d 'No progress bars and no remarks'
complete -c rpt -n "__fish_seen_subcommand_from $commands" -x -l timeout -d 'Give up after this time, such as 30s'
for command in add search complete score chat 'memory list' 'memory show' 'memory delete' 'memory drop' 'memory budget'
    complete -c rpt -n "__rpt_at $command" -x -l owner -d 'Whose memory'
    complete -c rpt -n "__rpt_at $command" -x -l collection -d 'Which part of it'
end
for command in add search complete score chat bench 'model info' 'memory check'
    complete -c rpt -n "__rpt_at $command" -r -s m -l model -d 'Model file or name'
    complete -c rpt -n "__rpt_at $command" -x -l threads -d 'Threads of the model'
    complete -c rpt -n "__rpt_at $command" -x -l cache -d 'Model states kept in memory, such as 512M'
end
complete -c rpt -n "__rpt_at add" -x -l key -d 'Name of the document'
complete -c rpt -n "__rpt_at add" -l replace -d 'Let new content take the place of the old'
complete -c rpt -n "__rpt_at add" -l prune -d 'Delete documents of files that have gone'
complete -c rpt -n "__rpt_at add" -l watch -d 'Go on with what changes'
complete -c rpt -n "__rpt_at add" -x -l states -a 'fp16 int8 int4 low-rank' -d 'How states are kept'
complete -c rpt -n "__rpt_at add" -x -l encoding -a 'utf-16le utf-16be windows-1252 iso-8859-15 shift_jis gb18030 koi8-r' -d 'Encoding of texts without a mark'
complete -c rpt -n "__rpt_at add" -l lossy -d 'Keep invalid bytes'
complete -c rpt -n "__rpt_at add" -l html-source -d 'Keep HTML with its tags'
for command in add chat 'memory delete' 'memory drop' 'memory budget' 'memory compact' 'memory upgrade' 'memory rebuild-index'
    complete -c rpt -n "__rpt_at $command" -l wait -d 'Wait for another writer'
end
complete -c rpt -n "__rpt_at memory drop" -l all-collections -d 'Every collection of the owner'
complete -c rpt -n "__rpt_at memory show" -l record -d 'With token ids, key and states'
complete -c rpt -n "__rpt_at memory show" -l segments -d 'The segments of the text'
complete -c rpt -n "__rpt_at memory check" -l quick -d 'Structure, catalogue and sums alone'
complete -c rpt -n "__rpt_at memory check" -l deep -d 'Also encode every text again'
complete -c rpt -n "__rpt_at memory budget" -l of-space -d 'Of one space instead of the whole memory'
complete -c rpt -n "__rpt_at search" -r -s f -l file -d 'Query from a file'
complete -c rpt -n "__rpt_at search" -x -s k -d 'Hits wanted'
complete -c rpt -n "__rpt_at search" -l exact -d 'Compare with every key'
complete -c rpt -n "__rpt_at search" -x -l leg -a "keys words grams definitions states" -d 'Compare in this way alone'
complete -c rpt -n "__rpt_at search" -x -l since -d 'Documents of this time or later'
complete -c rpt -n "__rpt_at search" -x -l before -d 'Documents from before this time'
complete -c rpt -n "__rpt_at search" -x -l path -d 'Documents whose key matches'
complete -c rpt -n "__rpt_at search" -l why -d 'Tell which ways found a hit'
complete -c rpt -n "__rpt_at complete" -x -s p -l prompt -d 'Text to continue'
complete -c rpt -n "__rpt_at complete" -r -s f -l file -d 'Text from a file'
complete -c rpt -n "__rpt_at complete" -x -l line -d 'Go on behind this line of the file'
complete -c rpt -n "__rpt_at complete" -x -l suffix -d 'Fill the gap before this text'
complete -c rpt -n "__rpt_at complete" -r -l suffix-file -d 'That text from a file'
for command in complete chat
    complete -c rpt -n "__rpt_at $command" -x -s n -l max-tokens -d 'Stop after so many tokens'
    complete -c rpt -n "__rpt_at $command" -x -s t -l temperature -d '0 is the likeliest token'
    complete -c rpt -n "__rpt_at $command" -x -l top-k -d 'Choose among so many tokens'
    complete -c rpt -n "__rpt_at $command" -x -l top-p -d 'Choose among this share'
    complete -c rpt -n "__rpt_at $command" -x -l repeat-penalty -d 'Make recent tokens less likely'
    complete -c rpt -n "__rpt_at $command" -x -l seed -d 'Same seed, same text'
end
complete -c rpt -n "__rpt_at chat" -x -l system -d 'What the model is told beforehand'
complete -c rpt -n "__rpt_at chat" -x -l notes -d 'Earlier turns that a message is answered with'
complete -c rpt -n "__rpt_at complete" -x -l stop -d 'End before this text'
complete -c rpt -n "__rpt_at complete" -l explain -d 'Show which chunks shaped the text'
complete -c rpt -n "__rpt_at complete" -x -l neighbours -d 'Chunks retrieved for each chunk'
complete -c rpt -n "__rpt_at complete" -x -l read -a 'cca copy' -d 'Ways to read the memory'
complete -c rpt -n "__rpt_at complete" -l no-memory -d 'Retrieve nothing'
complete -c rpt -n "__rpt_at score" -x -l neighbours -d 'Chunks retrieved for each chunk'
complete -c rpt -n "__rpt_at score" -x -l read -a 'cca copy' -d 'Ways to read the memory'
complete -c rpt -n "__rpt_at score" -l no-memory -d 'Without any retrieval'
complete -c rpt -n "__rpt_at score" -l by-chunk -d 'One line for each chunk'
complete -c rpt -n "__rpt_at memory show" -x -l chunk -d 'This chunk alone, in full'
complete -c rpt -n "__rpt_at memory show" -l text -d 'The whole text, byte for byte'
complete -c rpt -n "__rpt_at memory drop" -s y -l yes -d 'Do not ask'
complete -c rpt -n "__rpt_at bench" -x -l tokens -d 'Size of the memory, such as 1M'
complete -c rpt -n "__rpt_at bench" -l quick -d 'Seconds instead of minutes'
complete -c rpt -n "__rpt_at bench" -r -l text -d 'Text to read'
complete -c rpt -n "__rpt_at bench" -r -l dir -d 'Where to make the memory'
