#!/bin/bash
# Makes the secrets that are not there yet, each for its reader alone: random, in volumes, never in a file of the project.
# A service's folder gets `api-token` and, where it keeps state, `postgres-password`; PostgreSQL's gets the passwords.
set -euo pipefail
umask 077
folder=${1:-/secrets}
service_user=10001 # the user of the services' images

random() { od -An -N24 -tx1 /dev/urandom | tr -d ' \n'; }

# keep <file> <value>: what exists stays, and nobody ever reads half of one.
keep() {
  if [ ! -s "$1" ]; then
    printf '%s' "$2" > "$1.part"
    mv "$1.part" "$1"
  fi
}

keep "$folder/postgres/superuser" "$(random)"
for service in ingestion trainer registry monitor; do
  keep "$folder/postgres/$service" "$(random)"
  keep "$folder/$service/postgres-password" "$(cat "$folder/postgres/$service")"
done
keep "$folder/registry/api-token" "$(random)"
for service in ingestion trainer registry serving monitor; do
  keep "$folder/$service/api-token" "$(cat "$folder/registry/api-token")"
  chown -R "$service_user:$service_user" "$folder/$service"
done
chown -R postgres: "$folder/postgres"
