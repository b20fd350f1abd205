#!/usr/bin/env bash
# Makes a Docker image out of the redis-server that is installed on this machine:
#
#   test/support/redis-image.sh owm-test-redis:local
#   OWM_TEST_REDIS_IMAGE=owm-test-redis:local npm test
#
# Why: the tests start Redis through testcontainers, and an air-gapped CI has a Docker engine but no
# registry to pull redis:7 from. An image is only a file tree with a command, so the server, its
# client, a shell (wait strategies may exec /bin/sh) and the libraries they load are enough.
#
# Running it again changes nothing: the image carries a digest of what went in, and is made anew only
# when that changes (a new redis-server, say).
set -euo pipefail

image="${1:?usage: redis-image.sh NAME[:TAG]}"

say() { printf 'redis-image: %s\n' "$*" >&2; }

for program in docker redis-server redis-cli ldd tar sha256sum; do
  if ! command -v "$program" >/dev/null; then
    say "$program is not installed (Debian, Ubuntu: apt-get install docker.io redis-server)"
    exit 1
  fi
done

programs=("$(command -v redis-server)" "$(command -v redis-cli)" /bin/sh)
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT

# The tree is laid out with the paths the dynamic linker will look for, each a plain file: on Debian
# redis-server and sh are symbolic links, and so are most libraries and /lib itself.
root="$work/root"
mkdir -p "$root/data" "$root/etc" "$root/usr/bin"
install -d -m 1777 "$root/tmp"
printf 'root:x:0:0:root:/data:/bin/sh\n' >"$root/etc/passwd"
printf 'root:x:0:\n' >"$root/etc/group"

add() { mkdir -p "$root$(dirname "$2")" && cp -L "$1" "$root$2"; }

for program in "${programs[@]}"; do
  case "$program" in
    /bin/sh) add "$program" /bin/sh ;;
    *) add "$program" "/usr/bin/$(basename "$program")" ;;
  esac
  # "libm.so.6 => /lib/…/libm.so.6 (0x…)" and "/lib64/ld-linux-x86-64.so.2 (0x…)"
  ldd "$program" | awk '$2 == "=>" && $3 ~ /^\// { print $3; next } $1 ~ /^\// { print $1 }' >"$work/libraries"
  while read -r library; do
    add "$library" "$library"
  done <"$work/libraries"
done

# No ENTRYPOINT: testcontainers gives a whole command line, program included, and it would become the
# arguments of an entry point. Redis would refuse connections from outside the container without
# --protected-mode no.
changes=(
  --change 'ENV PATH=/usr/bin:/bin'
  --change 'WORKDIR /data'
  --change 'EXPOSE 6379'
  --change 'CMD ["redis-server", "--protected-mode", "no"]'
)

tar --create --file "$work/root.tar" --directory "$root" --sort=name --mtime=@0 --owner=0 --group=0 --numeric-owner .
digest="$({ printf '%s\n' "${changes[@]}"; cat "$work/root.tar"; } | sha256sum | cut -d ' ' -f 1)"

label='{{ index .Config.Labels "owm.redis-image" }}'
if [[ "$(docker image inspect --format "$label" "$image" 2>/dev/null || true)" == "$digest" ]]; then
  say "$image is up to date"
  exit 0
fi

old="$(docker image inspect --format '{{ .Id }}' "$image" 2>/dev/null || true)"
docker import "${changes[@]}" --change "LABEL owm.redis-image=$digest" - "$image" <"$work/root.tar" >"$work/id"
if [[ -n "$old" ]]; then
  docker image rm "$old" >/dev/null 2>&1 || true # in use by a container: it stays, without a name
fi
say "$image made from $(redis-server --version | cut -d ' ' -f 1-3) ($(cat "$work/id"))"
