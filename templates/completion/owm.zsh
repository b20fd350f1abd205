#compdef owm
# Completes owm in zsh: commands, flags, and values such as runs, slots and pipelines. To switch it on:
#   echo 'source <(owm autocomplete zsh)' >> ~/.zshrc
_owm() {
  local -a answers
  answers=("${(@f)$(owm autocomplete answer -- "${(@Q)words[2,CURRENT]}" 2> /dev/null)}")
  if [[ $answers[1] == :files ]]; then
    compset -P '--*='
    _files
  elif [[ -n $answers[1] ]]; then
    answers=("${(@)answers//:/\\:}")
    answers=("${(@)answers/  /:}")
    _describe owm answers
  fi
}
(( $+functions[compdef] )) || { autoload -Uz compinit && compinit }
compdef _owm owm
