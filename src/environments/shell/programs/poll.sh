# Waits for output or the end. Set before: d, o and e (how much of out and err is known; o empty: find the place where
# `from` bytes were known, in the journal), t (seconds to wait at most).
cd "$d" 2> /dev/null || { echo gone; exit 0; }
if [ -z "$o" ]; then
  o=0 e=0
  while read -r a b c g; do
    [ $((a + b)) -le "$from" ] || break
    o=$a e=$b l=$c
  done < journal
  more=$((from - o - e))
  if [ "$more" -le "${l:-0}" ]; then o=$((o + more)); else o=$((o + ${l:-0})) e=$((e + more - ${l:-0})); fi
fi
until=$(($(date +%s) + t)) pause=0.05
while :; do
  ended=
  [ -e exit ] && ended=1
  [ -n "$ended" ] || kill -0 "$(cat supervisor 2> /dev/null)" 2> /dev/null || [ -e exit ] || ended=2
  set -- $(wc -c out err)
  a=$(($1 - o)) b=$(($3 - e))
  [ $a -le 0 ] && [ $b -le 0 ] && [ -z "$ended" ] && [ "$(date +%s)" -lt $until ] || break
  sleep $pause 2> /dev/null || sleep 1
  case $pause in 0.05) pause=0.06 ;; 0.06) pause=0.1 ;; 0.1) pause=0.2 ;; *) pause=0.5 ;; esac
done
[ $a -le 262144 ] || a=262144
[ $b -le 262144 ] || b=262144
[ $a -le 0 ] && [ $b -le 0 ] || echo "$o $e $a $b" >> journal
# The end is told once everything has been said.
state=running
if [ -n "$ended" ] && [ $a -le 0 ] && [ $b -le 0 ]; then
  if [ -e exit ]; then state="exited $(cat exit)"; else state=lost; fi
fi
echo "$o $e $(date +%s) $(cat started) $(cat limit) $(cat pid 2> /dev/null || echo 0) $state"
if [ $a -gt 0 ]; then tail -c +$((o + 1)) out | head -c $a | base64; fi
echo .
if [ $b -gt 0 ]; then tail -c +$((e + 1)) err | head -c $b | base64; fi
echo .
