# Completes owm in bash: commands, flags, and values such as runs, slots and pipelines. To switch it on:
#   echo 'source <(owm autocomplete bash)' >> ~/.bashrc
_owm() {
  local word=${COMP_WORDS[COMP_CWORD]}
  mapfile -t COMPREPLY < <(owm autocomplete answer -- "${COMP_WORDS[@]:1:COMP_CWORD}" 2> /dev/null)
  COMPREPLY=("${COMPREPLY[@]%%  *}")
  [[ ${COMPREPLY[0]-} == :files ]] || return 0
  compopt -o filenames 2> /dev/null
  mapfile -t COMPREPLY < <(compgen -f -- "${word##[=:]}")
}
complete -F _owm owm
