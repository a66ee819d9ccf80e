#!/bin/bash
# Creates missing secrets: random, readable for one user each, in volumes, never in a file of the project. The folder of
# a service with state gets `postgres-password`, that of PostgreSQL all passwords, that of the registry the access tokens.
set -euo pipefail
umask 077
folder=${1:-/secrets}
service_user=10001 # the user of the services' images

# random [bytes]: prints random bytes in hexadecimal.
random() { od -An -v "-N${1:-24}" -tx1 /dev/urandom | tr -d ' \n'; }

# keep <file> <value>: writes a file that does not exist yet, atomically.
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
# One access token of each role: `token-<role>` is for people, `tokens` has their hashes for the registry.
for role in reader publisher predictor engineer approver admin; do
  keep "$folder/registry/token-$role" "rondo_$(random 6)_$(random 32)"
done
seeds=$(
  for role in reader publisher predictor engineer approver admin; do
    IFS=_ read -r _ id secret < "$folder/registry/token-$role" || true
    printf '%s:%s:%s:sha256:%s\n' "$id" "$role" "$role" "$(printf %s "$secret" | sha256sum | cut -d' ' -f1)"
  done
)
printf '%s\n' "$seeds" > "$folder/registry/tokens.part"
mv "$folder/registry/tokens.part" "$folder/registry/tokens"
for service in ingestion trainer registry monitor; do
  chown -R "$service_user:$service_user" "$folder/$service"
done
chown -R postgres: "$folder/postgres"
