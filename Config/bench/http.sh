#!/bin/sh
# Berth beside nginx under wrk, in turns: requests a second, server time a request, and their ratios.
#
#   Config/bench/http.sh [berth]     the binary; default .build/release/berth
#   ROUNDS=5 SECONDS_EACH=3 PORT=18400 DATA=/tmp   may be set in the environment; ROUNDS rounds of SECONDS_EACH each
#
# What it starts it ends by process id. Figures differ from machine to machine; the ratios, of one run, hardly do.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
berth=${1:-$here/../../.build/release/berth}
rounds=${ROUNDS:-5}
seconds=${SECONDS_EACH:-3}
port=${PORT:-18400}
for program in wrk nginx curl; do
  if ! command -v $program > /dev/null; then
    echo "skipped: $program is not installed (apt-get install wrk nginx curl)"
    exit 0
  fi
done
[ -x "$berth" ] || { echo "There is no $berth: swift build -c release --product berth" >&2; exit 1; }

folder=$(mktemp -d "${DATA:-/tmp}/berth-http.XXXXXX")
berth_pid= nginx_pid=
finish() {
  [ -z "$berth_pid" ] || kill "$berth_pid" 2> /dev/null || true
  [ -z "$nginx_pid" ] || kill "$nginx_pid" 2> /dev/null || true
  wait
  rm -rf "$folder"
}
trap finish EXIT
trap 'exit 1' INT TERM

"$berth" serve --port "$port" --data "$folder/data" > "$folder/berth.log" 2>&1 &
berth_pid=$!
url=http://127.0.0.1:$port
other=http://127.0.0.1:$((port + 1))
alive() { curl -sf --retry 50 --retry-connrefused --retry-all-errors --retry-delay 1 -o /dev/null "$1"; }
alive $url/readyz
put() { curl -sf -H 'Content-Type: application/json' "$@"; }
put -o /dev/null -X PUT $url/v1/pools/bench-full -d '{"provider":"aws","region":"us-east-1","accelerator":"GB200",
  "node":{"gpus":1,"cpuMillis":2000,"memoryMiB":4096},"topology":{"blocks":1,"domainsPerBlock":1,"nodesPerDomain":1}}'
put -o /dev/null $url/v1/jobs -d '{"id":"filler","workers":[{"count":1,"gpus":1}],"allow":{"pools":["bench-full"]}}'
job=$(put $url/v1/jobs -d '{"id":"first","workers":[{"count":1,"gpus":1}],"labels":{"project":"atlas"}}')

sed "s,@folder@,$folder,; s,@port@,$((port + 1)),; s|@job@|$job|" "$here/nginx.conf.in" > "$folder/nginx.conf"
nginx -p "$folder" -e "$folder/nginx.log" -c "$folder/nginx.conf" &
nginx_pid=$!
alive $other/

# Clock ticks that a process and its children have run.
ticks() {
  total=0
  for pid in $1 $(cat "/proc/$1/task/$1/children"); do
    set -- $(sed 's/^.*) //' "/proc/$pid/stat")
    total=$((total + ${12} + ${13}))
  done
  echo $total
}
counter() { curl -sf $url/metrics | awk -v name="$1" '$1 == name { print $2 }'; }

# measure NAME SERVER PID URL CONNECTIONS [SCRIPT ARGUMENTS]: a line "NAME SERVER per-second us-per-request refused p99".
measure() {
  name=$1 server=$2 pid=$3 target=$4 connections=$5
  shift 5
  before=$(ticks "$pid")
  wrk -t1 -c"$connections" -d"${seconds}s" --latency "$@" > "$folder/wrk" 2>&1 || { cat "$folder/wrk" >&2; exit 1; }
  after=$(ticks "$pid")
  awk -v name="$name" -v server="$server" -v ticks=$((after - before)) -v hertz="$(getconf CLK_TCK)" '
    / requests in / { requests = $1 }
    /^Requests\/sec/ { rate = $2 }
    /^ +99%/ { p99 = $2 }
    /Non-2xx/ { refused = $NF }
    END { print name, server, rate, ticks / hertz * 1e6 / requests, refused + 0, p99 }' "$folder/wrk" >> "$folder/results"
}

round=0
while [ $round -lt "$rounds" ]; do
  round=$((round + 1))
  measure livez-64 nginx $nginx_pid $other 64 $other/livez
  measure livez-64 berth $berth_pid $url 64 $url/livez
  measure get-job-64 nginx $nginx_pid $other 64 $other/v1/jobs/first
  measure get-job-64 berth $berth_pid $url 64 $url/v1/jobs/first
  for connections in 64 256; do
    measure post-job-$connections nginx $nginx_pid $other $connections -s "$here/jobs.lua" $other -- "$round-$connections"
    records=$(counter berth_journal_records_total) flushes=$(counter berth_journal_flushes_total)
    measure post-job-$connections berth $berth_pid $url $connections -s "$here/jobs.lua" $url -- "$round-$connections"
    records=$(($(counter berth_journal_records_total) - records)) flushes=$(($(counter berth_journal_flushes_total) - flushes))
    echo "post-job-$connections $records $flushes" >> "$folder/flushes"
  done
  measure post-queued-256 nginx $nginx_pid $other 256 -s "$here/jobs.lua" $other -- "$round-q" bench-full
  measure post-queued-256 berth $berth_pid $url 256 -s "$here/jobs.lua" $url -- "$round-q" bench-full
done

# Medians over the rounds.
awk '
  function median(values, count,   i, j, swap) {
    for (i = 2; i <= count; i++)
      for (j = i; j > 1 && values[j - 1] > values[j]; j--) { swap = values[j]; values[j] = values[j - 1]; values[j - 1] = swap }
    return values[int((count + 1) / 2)]
  }
  function of(name, server, column,   i, count, values) {
    count = 0
    for (i = 1; i <= lines; i++) if (rows[i, 1] == name && rows[i, 2] == server) values[++count] = rows[i, column]
    return median(values, count)
  }
  FILENAME ~ /flushes$/ { records[$1] += $2; flushes[$1] += $3; next }
  {
    lines++
    for (i = 1; i <= NF; i++) rows[lines, i] = $i
    if (!($1 in seen)) { seen[$1] = 1; names[++kinds] = $1 }
    if ($2 == "berth") refused[$1] += $5
  }
  END {
    goal["livez-64"] = goal["get-job-64"] = 0.8
    goal["post-job-256"] = 0.25
    format = "%-16s %9s %9s %7s %6s %9s %9s %7s %8s %10s\n"
    printf format, "requests", "berth/s", "nginx/s", "ratio", "goal", "berth us", "nginx us", "cost x", "refused", "per flush"
    for (k = 1; k <= kinds; k++) {
      n = names[k]
      b = of(n, "berth", 3); x = of(n, "nginx", 3); bc = of(n, "berth", 4); xc = of(n, "nginx", 4)
      printf format, n, int(b), int(x), sprintf("%.2f", b / x), goal[n], sprintf("%.1f", bc), sprintf("%.1f", xc),
        sprintf("%.2f", bc / xc), refused[n], flushes[n] ? sprintf("%.1f", records[n] / flushes[n]) : ""
    }
  }' "$folder/flushes" "$folder/results"
