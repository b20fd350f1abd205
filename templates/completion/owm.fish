# Completes owm in fish: commands, flags, and values such as runs, slots and pipelines. To switch it on:
#   owm autocomplete fish > ~/.config/fish/completions/owm.fish
function __owm
    set -l words (commandline -opc)
    set -l word (commandline -ct)
    set -l answers (owm autocomplete answer -- $words[2..] "$word" 2> /dev/null)
    if test "$answers[1]" = :files
        set -l flag (string match -r -- '^--[^=]*=' $word)
        printf "$flag%s\n" (__fish_complete_path (string replace -- "$flag" '' $word))
    else
        for answer in $answers
            string replace -- '  ' \t $answer
        end
    end
end
complete -c owm -f -a '(__owm)'
