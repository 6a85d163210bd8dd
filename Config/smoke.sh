#!/usr/bin/env bash
# A run of the real programs as an operator would use them: check the files, serve, submit, replay, kill, recover, stop.
# Uses the debug build that the tests made, or $BERTH. Leaves nothing behind.
set -euo pipefail
cd "$(dirname "$0")/.."
berth=${BERTH:-$(swift build --show-bin-path)/berth}
folder=$(mktemp -d)
pid=
trap '[ -z "$pid" ] || kill -9 "$pid" 2>/dev/null; rm -rf "$folder"' EXIT

fail() { echo "smoke: $*" >&2; exit 1; }

# Starts a server on a free port with the arguments given; sets pid and url.
serve() {
    # What an earlier server said must not be taken for this one's: the new one empties the file only when it has begun.
    : >"$folder/out"
    "$berth" serve --port 0 "$@" >"$folder/out" 2>"$folder/err" &
    pid=$!
    for _ in $(seq 600); do
        url=$(sed -n 's/.*\(http:[^ ]*\).*/\1/p' "$folder/out")
        [ -n "$url" ] && return
        kill -0 "$pid" 2>/dev/null || fail "the server ended: $(cat "$folder/err")"
        sleep 0.05
    done
    fail "the server did not say where it listens"
}

# Ends the server by SIGTERM and expects status 0.
stop() {
    kill "$pid"
    wait "$pid" || fail "the server ended with $? after SIGTERM: $(cat "$folder/err")"
    pid=
}

json='Content-Type: application/json'

echo "smoke: files"
# No `grep -q` behind a pipe: it leaves at the first hit, and then the program before it fails now and then.
"$berth" version | grep '^berth '
"$berth" check-config Config/berth.json
"$berth" check-config --fleet Config/fleet.json
"$berth" check-config --fleet Config/small-fleet.json
echo '{"server":{"prot":1}}' >"$folder/bad.json"
if "$berth" check-config "$folder/bad.json" 2>"$folder/mistakes"; then fail "a bad configuration was taken"; fi
grep -q '/server/prot' "$folder/mistakes"

echo "smoke: a job's life on the built-in fleet"
serve --data "$folder/data"
curl -sf "$url/readyz" >/dev/null
curl -sf "$url/v1/jobs" -H "$json" -d '{"id":"a","workers":[{"count":16,"gpus":4}],"accelerators":["GB300"],"scope":"domain"}' \
    | jq -e '.state == "placed" and .placement.domainCount == 1 and (.placement.parts[0].nodes | length) == 16' >/dev/null
curl -sf "$url/v1/jobs" -H "$json" -d '{"id":"share","workers":[{"count":2,"gpuMilli":250}]}' \
    | jq -e '.placement.parts[0].nodes[0].workers[0].gpuIndexes | length == 1' >/dev/null
curl -sf -X DELETE "$url/v1/jobs/share" | jq -e '.state == "cancelled"' >/dev/null
curl -sf "$url/v1/jobs" -H "$json" -d '{"id":"b","workers":[{"count":40,"gpus":4}],"accelerators":["GB300"],"scope":"domain"}' \
    | jq -e '.state == "queued" and (.reasons | length) > 0' >/dev/null
curl -s "$url/v1/jobs" -H "$json" -d '{"workers":[{"count":1,"gpu":4}]}' | jq -e '.status == 422 and (.errors | length) == 2' >/dev/null
curl -sf -X POST "$url/v1/jobs/a:start" | jq -e '.state == "running"' >/dev/null
curl -sf "$url/v1/fleet" | jq -e '.gpusAllocated == 64' >/dev/null
curl -sf "$url/metrics" | grep '^berth_jobs{state="running"} 1$' >/dev/null
before=$(curl -sf "$url/v1/jobs/a")

echo "smoke: kill -9 and recovery"
kill -9 "$pid"
wait "$pid" 2>/dev/null || true
"$berth" journal verify --data "$folder/data" | tail -1
"$berth" journal dump --data "$folder/data" | jq -es 'map(select(.fact == "jobSubmitted")) | length == 3' >/dev/null
serve --data "$folder/data"
[ "$before" = "$(curl -sf "$url/v1/jobs/a")" ] || fail "the job is not as it was before the kill"
curl -sf "$url/v1/jobs/a:finish" -H "$json" -d '{"result":"succeeded"}' | jq -e '.state == "succeeded"' >/dev/null
trace=../shared/traces/kalos/kalos.csv
if [ -f "$trace" ]; then
    echo "smoke: the Kalos trace (Acme trace, CC-BY-4.0) on the built-in fleet"
    "$berth" replay --trace "$trace" --url "$url" --asap | tail -10 | tee "$folder/table"
    grep -Eq '^finished +319$' "$folder/table" || fail "not every job of the trace finished"
    grep -Eq '^lost +0$' "$folder/table" || fail "jobs of the trace were lost"
fi
stop
"$berth" journal verify --data "$folder/data" | tail -1
if [ -f "$trace" ]; then
    echo "smoke: the Kalos trace on the small fleet"
    serve --data "$folder/small" --fleet Config/small-fleet.json
    "$berth" replay --trace "$trace" --url "$url" --asap | tail -10 | tee "$folder/table"
    grep -Eq '^finished +319$' "$folder/table" || fail "not every job of the trace finished"
    grep -Eq '^lost +0$' "$folder/table" || fail "jobs of the trace were lost"
    stop
else
    echo "smoke: the Kalos trace is not here; its replay is skipped"
fi
echo "smoke: all is well"
