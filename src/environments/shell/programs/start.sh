# Starts one run. Set before: d (run directory), c (working directory), w (seconds the run may take, 0: any), h and f (who
# listens for callbacks: an interpreter and its program; nothing: nobody), m (largest body). Arguments: the command. stdin:
# three lines in base64, the environment as shell commands, what the agent reads, and the bridge's token.
umask 077
say_no() { printf 'refused\n%s\n' "$1"; exit 0; }
mkdir -p "${d%/*}" || say_no "Cannot make ${d%/*}"
mkdir "$d" 2> /dev/null || say_no "The run has a directory already: $d"
cd -- "$c" 2> /dev/null || say_no "Cannot use the working directory $c"
IFS= read -r variables; IFS= read -r input; IFS= read -r token
printf %s "$input" | base64 -d > "$d/input" || say_no "There is no base64"
unset input
: > "$d/out"; : > "$d/err"; : > "$d/journal"; date +%s > "$d/started"; echo "$w" > "$d/limit"
own_session=
command -v setsid > /dev/null 2>&1 && own_session=setsid

if [ -n "$h" ]; then
  q="$d/queue"
  mkdir "$q" "$q/requests" "$q/taken" "$q/responses" "$q/logs" && mkfifo "$q/wake" "$q/answers" || say_no "Cannot make the queue $q"
  printf %s "$token" | base64 -d > "$q/token"
  # Whoever kills it by mistake gets it back on the same port.
  PAPERCLIP_BRIDGE_QUEUE_DIR="$q" PAPERCLIP_BRIDGE_MAX_BODY_BYTES="$m" $own_session sh -c '
    n=0
    while [ ! -e "$0/over" ] && [ $n -lt 200 ]; do
      "$@" >> "$0/logs/bridge.log" 2>&1 &
      echo $! > "$0/server.pid"
      wait $!
      n=$((n + 1))
      [ -e "$0/over" ] || sleep 0.2 2> /dev/null || sleep 1
    done' "$q" "$h" "$f" < /dev/null > /dev/null 2>&1 &
  echo $! > "$q/keeper.pid"
  n=0
  until [ -s "$q/ready.json" ]; do
    n=$((n + 1))
    if [ $n -gt 200 ]; then
      : > "$q/over"
      kill "$(cat "$q/server.pid")" 2> /dev/null
      say_no "The callback bridge does not start: $(head -c 500 "$q/logs/bridge.log")"
    fi
    sleep 0.05 2> /dev/null || sleep 1
  done
  port=$(sed -n 's/.*"port": *\([0-9]*\).*/\1/p' "$q/ready.json")
fi
unset token
eval "$(printf %s "$variables" | base64 -d)"
unset variables
[ -z "$h" ] || export PAPERCLIP_API_URL="http://127.0.0.1:$port"
command -v "$1" > /dev/null 2>&1 || say_no "Cannot find the command $1"

# Outlives us; the agent leads a group of its own, which the end of the run takes along.
$own_session sh -c '
  d=$1 s=$2; shift 2
  exec 3< "$d/input"; rm -f "$d/input"
  $s "$@" <&3 3<&- >> "$d/out" 2>> "$d/err" &
  a=$!
  echo $a > "$d/pid"
  wait $a
  e=$?
  if [ -n "$s" ] && kill -0 -- -$a 2> /dev/null; then
    sleep 1
    kill -9 -- -$a 2> /dev/null
  fi
  [ -d "$d/queue" ] && : > "$d/queue/over"
  [ -s "$d/queue/server.pid" ] && kill "$(cat "$d/queue/server.pid")" 2> /dev/null
  echo "$e $(date +%s)" > "$d/exit.tmp" && mv "$d/exit.tmp" "$d/exit"
  [ -p "$d/queue/wake" ] && echo end 1<> "$d/queue/wake"
' supervisor "$d" "$own_session" "$@" < /dev/null > /dev/null 2>&1 &
echo $! > "$d/supervisor"
n=0
until [ -s "$d/pid" ] || [ $n -gt 200 ]; do n=$((n + 1)); sleep 0.01 2> /dev/null || sleep 1; done
printf 'started\n%s\n%s\n' "$(cat "$d/pid")" "$(cat "$d/started")"
