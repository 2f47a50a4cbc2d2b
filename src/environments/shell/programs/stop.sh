# Ends a run. Set before: d, t (tenths of a second between the polite and the other signal), run (its id).
cd "$d" 2> /dev/null || exit 0
a=$(cat pid 2> /dev/null) s=$(cat supervisor 2> /dev/null)
[ -n "$a" ] && [ ! -e exit ] || exit 0
kill -TERM -- -"$a" 2> /dev/null || kill -TERM "$a" 2> /dev/null
while [ "$t" -gt 0 ] && [ ! -e exit ] && kill -0 "$a" 2> /dev/null; do
  t=$((t - 1))
  sleep 0.1 2> /dev/null || { sleep 1; t=$((t - 9)); }
done
kill -KILL -- -"$a" 2> /dev/null || kill -KILL "$a" 2> /dev/null
# Who left the group still carries the run's name.
for round in 1 2 3 4 5; do
  found=
  for p in /proc/[0-9]*; do
    n=${p#/proc/}
    [ "$n" != "$s" ] && [ "$n" != $$ ] && tr '\0' '\n' < "$p/environ" 2> /dev/null | grep -qx "PAPERCLIP_RUN_ID=$run" && found="$found $n"
  done 2> /dev/null
  [ -n "$found" ] || break
  kill -KILL $found 2> /dev/null
done
exit 0
