#!/usr/bin/env bash
# Makes a Docker image out of programs that are installed on this machine:
#
#   test/support/local-image.sh NAME[:TAG] PROGRAM… [--change INSTRUCTION]…
#
# Why: an air-gapped CI has a Docker engine, but no registry to pull redis:7 or a Debian from. An image is only a file
# tree with a command, so the programs, a shell (wait strategies and Dockerfiles may exec /bin/sh) and the libraries
# they load are enough.
#
# Running it again changes nothing: the image carries a digest of what went in, and is made anew only when that
# changes (a new redis-server, say).
set -euo pipefail

say() { printf 'local-image: %s\n' "$*" >&2; }

image="${1:?usage: local-image.sh NAME[:TAG] PROGRAM… [--change INSTRUCTION]…}"
shift
programs=(sh)
while (($# > 0)) && [[ "$1" != --change ]]; do
  programs+=("$1")
  shift
done
changes=("$@")

for program in docker ldd tar sha256sum "${programs[@]}"; do
  if ! command -v "$program" >/dev/null; then
    say "$program is not installed (scripts/programs.mjs names its Debian package)"
    exit 1
  fi
done

work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT

# The tree is laid out with the paths the dynamic linker will look for, each a plain file: on Debian
# redis-server and sh are symbolic links, and so are most libraries and /lib itself.
root="$work/root"
mkdir -p "$root/data" "$root/etc" "$root/usr/bin" "$root/bin"
install -d -m 1777 "$root/tmp"
printf 'root:x:0:0:root:/data:/bin/sh\n' >"$root/etc/passwd"
printf 'root:x:0:\n' >"$root/etc/group"

add() { mkdir -p "$root$(dirname "$2")" && cp -L "$1" "$root$2"; }

for name in "${programs[@]}"; do
  program="$(command -v "$name")"
  case "$name" in
    sh) add "$program" /bin/sh ;;
    *) add "$program" "/usr/bin/$name" ;;
  esac
  # "libm.so.6 => /lib/…/libm.so.6 (0x…)" and "/lib64/ld-linux-x86-64.so.2 (0x…)"
  ldd "$program" | awk '$2 == "=>" && $3 ~ /^\// { print $3; next } $1 ~ /^\// { print $1 }' >"$work/libraries"
  while read -r library; do
    add "$library" "$library"
  done <"$work/libraries"
done

changes+=(--change 'ENV PATH=/usr/local/bin:/usr/bin:/bin')
tar --create --file "$work/root.tar" --directory "$root" --sort=name --mtime=@0 --owner=0 --group=0 --numeric-owner .
digest="$({ printf '%s\n' "${changes[@]}"; cat "$work/root.tar"; } | sha256sum | cut -d ' ' -f 1)"

label='{{ index .Config.Labels "owm.local-image" }}'
if [[ "$(docker image inspect --format "$label" "$image" 2>/dev/null || true)" == "$digest" ]]; then
  say "$image is up to date"
  exit 0
fi

old="$(docker image inspect --format '{{ .Id }}' "$image" 2>/dev/null || true)"
docker import "${changes[@]}" --change "LABEL owm.local-image=$digest" - "$image" <"$work/root.tar" >"$work/id"
if [[ -n "$old" ]]; then
  docker image rm "$old" >/dev/null 2>&1 || true # in use by a container: it stays, without a name
fi
say "$image made from ${programs[*]} ($(cat "$work/id"))"
