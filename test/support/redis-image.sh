#!/usr/bin/env bash
# Makes a Docker image out of the redis-server that is installed on this machine (local-image.sh says how and why):
#
#   test/support/redis-image.sh owm-test-redis:local
#   OWM_TEST_REDIS_IMAGE=owm-test-redis:local npm test
#
# No ENTRYPOINT: testcontainers gives a whole command line, program included, and it would become the arguments of an
# entry point. Redis would refuse connections from outside the container without --protected-mode no.
exec "$(dirname "$0")/local-image.sh" "${1:?usage: redis-image.sh NAME[:TAG]}" redis-server redis-cli \
  --change 'WORKDIR /data' --change 'EXPOSE 6379' --change 'CMD ["redis-server", "--protected-mode", "no"]'
