#!/usr/bin/env bash
# Runs the real program as a user would: configuration, service, curl, a trace, kill -9, SIGTERM, journal. Builds nothing:
# the debug binary must be there. Needs curl and jq. Everything happens in a temporary folder on free ports of 127.0.0.1.
set -euo pipefail
cd "$(dirname "$0")/.."
berth=$(swift build --show-bin-path)/berth
[ -x "$berth" ] || { echo "smoke: $berth is not there; run 'swift build' first" >&2; exit 1; }

folder=$(mktemp -d)
server=
cleanup() {
    if [ -n "$server" ]; then kill -9 "$server" 2>/dev/null || true; fi
    rm -rf "$folder"
}
trap cleanup EXIT

say() { printf -- '-- %s\n' "$*"; }
fail() { printf 'smoke: %s\n' "$*" >&2; cat "$folder"/*.err >&2 || true; exit 1; }

# serve DATA [OPTION...]: starts a server and sets `server` and `url`.
serve() {
    local data=$1
    shift
    # A file of its own: what an earlier server said must not be taken for this one's.
    local out
    out=$(mktemp "$folder/out.XXXXXX")
    "$berth" serve --port 0 --data "$folder/$data" "$@" >"$out" 2>>"$folder/$data.err" &
    server=$!
    for _ in $(seq 600); do
        url=$(sed -n 's/^berth .* listens on //p' "$out")
        [ -z "$url" ] || return 0
        kill -0 "$server" 2>/dev/null || fail "berth serve did not start"
        sleep 0.1
    done
    fail "berth serve did not say where it listens"
}

# stop: SIGTERM, and the exit code must be 0.
stop() {
    local code=0
    kill -TERM "$server"
    wait "$server" || code=$?
    server=
    [ "$code" = 0 ] || fail "berth serve left with $code after SIGTERM"
}

# ask METHOD PATH STATUS JQ [BODY]: the answer must have the status and satisfy the filter.
ask() {
    local method=$1 path=$2 status=$3 filter=$4
    local body=() got
    if [ $# -gt 4 ]; then body=(-H 'Content-Type: application/json' -d "$5"); fi
    got=$(curl -sS --max-time 60 -o "$folder/answer" -w '%{http_code}' -X "$method" "${body[@]}" "$url$path")
    [ "$got" = "$status" ] || fail "$method $path: $got instead of $status: $(cat "$folder/answer")"
    jq -e "$filter" "$folder/answer" >/dev/null || fail "$method $path: not '$filter': $(cat "$folder/answer")"
}

say "version and configuration"
"$berth" version
"$berth" check-config Config/berth.json
"$berth" check-config --fleet Config/fleet.json
"$berth" check-config --fleet Config/small-fleet.json

say "the built-in fleet by curl"
serve built-in
ask GET /livez 200 '.status == "alive"'
ask GET /readyz 200 '.status == "ready"'
ask GET /v1/fleet 200 '.gpus > 500000 and .gpusAllocated == 0'
ask POST /v1/jobs 201 '.state == "placed" and .placement.accelerator == "GB300" and .placement.domainCount == 1 and (.placement.nodes | length) == 2' \
    '{"id": "llm-7b", "workers": [{"count": 2, "gpus": 4}], "accelerators": ["GB300"], "scope": "domain"}'
ask POST /v1/jobs 201 '.state == "queued" and .couldEverFit == false and .reasons[0].reason == "gangTooLarge"' \
    '{"id": "huge", "workers": [{"count": 40, "gpus": 4}], "accelerators": ["GB300", "GB200"], "scope": "domain"}'
ask POST /v1/jobs 409 '.type == "urn:berth:problem:id-in-use"' '{"id": "huge", "workers": [{"count": 1, "gpus": 1}]}'
ask POST /v1/jobs 422 '.errors | length >= 2' '{"wrokers": [], "priority": -1}'
ask POST /v1/jobs/llm-7b:start 200 '.state == "running"'
ask POST /v1/jobs/huge:start 409 '.state == "queued"'
ask DELETE /v1/jobs/huge 200 '.state == "cancelled"'
node=$(curl -sS "$url/v1/jobs/llm-7b" | jq -r '.placement.nodes[0].node')
ask POST "/v1/nodes/$node:down" 200 '.state == "down"'
ask GET /v1/jobs/llm-7b 200 ".state == \"placed\" and .requeues == 1 and all(.placement.nodes[]; .node != \"$node\")"
ask POST "/v1/nodes/$node:up" 200 '.state == "ready"'
ask GET /openapi.json 200 '.openapi | startswith("3.")'
printf '%s\n' '{"id":"b1","workers":[{"count":1,"gpus":8}]}' '{"id":"b2","workers":[{"count":1,"gpus":1}]}' |
    curl -sS -H 'Content-Type: application/x-ndjson' --data-binary @- "$url/v1/jobs:batch" |
    jq -es 'length == 2 and all(.[]; .status == 201)' >/dev/null || fail "the batch was not taken"
curl -sS "$url/metrics" | grep -q '^berth_revision ' || fail "/metrics has no revision"

say "kill -9, restart, the same answers"
for path in /v1/jobs /v1/fleet /v1/pools; do curl -sS "$url$path"; done >"$folder/before"
kill -9 "$server"
wait "$server" 2>/dev/null || true
serve built-in
for path in /v1/jobs /v1/fleet /v1/pools; do curl -sS "$url$path"; done >"$folder/after"
cmp "$folder/before" "$folder/after" || fail "a restart after kill -9 shows something else"
stop
"$berth" journal verify --data "$folder/built-in" | tail -1

trace=../shared/traces/kalos/kalos.csv
for fleet in Config/fleet.json Config/small-fleet.json; do
    name=$(basename "$fleet" .json)
    if [ ! -f "$trace" ]; then
        say "SKIPPED: the Kalos trace on $fleet, for $trace is not there"
        continue
    fi
    say "the Kalos trace (Acme trace, CC-BY-4.0) on $fleet"
    serve "$name" --fleet "$fleet"
    "$berth" replay --trace "$trace" --url "$url" --asap >"$folder/table" || fail "replay: $(cat "$folder/table")"
    tail -10 "$folder/table"
    grep -qE '^finished +319$' "$folder/table" || fail "not every job of the trace finished"
    grep -qE '^lost +0$' "$folder/table" || fail "jobs of the trace were lost"
    ask GET /v1/fleet 200 '.gpusAllocated == 0 and .jobsByState.succeeded == 319'
    stop
    "$berth" journal verify --data "$folder/$name" | tail -1
done
say "all is well"
