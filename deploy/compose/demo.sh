#!/usr/bin/env bash
# Replays the flights of spring 2013 on the system of docker-compose.yml, and prints the report.
# It starts its own project on free ports with new volumes, and removes all of it at the end.
# Further arguments go to `rondo demo`, such as --until 12.
set -euo pipefail
cd "$(dirname "$0")/../.."
project=${RONDO_COMPOSE_PROJECT:-rondo-demo}
rondo=${RONDO_COMMAND:-.venv/bin/rondo}
ready_seconds=300

fail() {
  echo "demo-compose: $1" >&2
  exit 1
}

find_compose() {
  docker info >/dev/null 2>&1 || fail "no Docker engine answers: start one, or use \`make demo\`, which needs none"
  if docker compose version >/dev/null 2>&1; then
    compose=(docker compose -p "$project")
  elif command -v docker-compose >/dev/null; then
    compose=(docker-compose -p "$project")
  else
    fail "neither \`docker compose\` nor docker-compose is installed: install one, or use \`make demo\`"
  fi
}

choose_ports() {
  local names=(KAFKA INGESTION TRAINER REGISTRY SERVING MONITOR) ports i
  # All are held at once, so that they differ.
  mapfile -t ports < <(python3 -c '
import socket, sys
held = [socket.create_server(("127.0.0.1", 0)) for _ in sys.argv[1:]]
print(*(each.getsockname()[1] for each in held), sep="\n")' "${names[@]}")
  for i in "${!names[@]}"; do
    export "RONDO_PORT_${names[i]}=${ports[i]}"
    export "RONDO_${names[i]}_URL=http://127.0.0.1:${ports[i]}"
  done
  unset RONDO_KAFKA_URL
  export RONDO_KAFKA="127.0.0.1:$RONDO_PORT_KAFKA"
}

# quietly <command...>: shows its output only when it fails
quietly() {
  "$@" >"$log" 2>&1 || {
    tail -n 40 "$log" >&2
    fail "${*} failed"
  }
}

# state <service>: healthy, starting, unhealthy or exited
state() {
  docker inspect -f '{{if .State.Running}}{{.State.Health.Status}}{{else}}exited{{end}}' "$("${compose[@]}" ps -q "$1")"
}

wait_until_ready() {
  local service deadline=$((SECONDS + ready_seconds))
  for service in ingestion trainer registry serving monitor; do
    until [ "$(state "$service")" = healthy ]; do
      ((SECONDS < deadline)) || fail "$service is $(state "$service") after $ready_seconds s; its log is below"
      sleep 1
    done
  done
}

# Whatever user a container starts as: when everything is ready, no process runs as root.
nobody_is_root() {
  local id owners
  for id in $("${compose[@]}" ps -q); do
    [ "$(docker inspect -f '{{.State.Running}}' "$id")" = true ] || continue
    owners=$(docker top "$id" -eo pid,uid | awk 'NR > 1 {print $2}' | sort -u)
    [ -n "$owners" ] && ! grep -qx 0 <<<"$owners" || fail "a process of $(docker inspect -f '{{.Name}}' "$id") runs as root"
  done
}

take_down() {
  local status=$?
  ((status == 0)) || "${compose[@]}" logs --tail 40 >&2 || true
  "${compose[@]}" down --volumes --timeout 20 >"$log" 2>&1 || cat "$log" >&2
  rm -f "$log"
  exit "$status"
}

find_compose
choose_ports
log=$(mktemp)
trap take_down EXIT
echo "building the images (the first time takes minutes)"
quietly "${compose[@]}" build
echo "starting Kafka, PostgreSQL and the five services"
quietly "${compose[@]}" up -d
wait_until_ready
nobody_is_root
RONDO_TOKEN=$("${compose[@]}" exec -T registry cat /run/rondo/token-admin)
export RONDO_TOKEN
echo "ready after $SECONDS s"
# Half the speed: on two cores the containers fall behind a replay of four months in 15 s, and the replay may be over
# before the first training of new labels.
SPEED=${SPEED:-0.5} "$rondo" demo --against-running --until 6 --redeployments 1 --report-to .rondo/demo-compose "$@"
