# Waits for callbacks and takes them. Set before: d, g (who takes; a newer one ends the older), m (largest record), again
# (1: also those whose taking may have been in vain). Arguments: those that arrived, and are to be forgotten.
cd "$d/queue" 2> /dev/null || { echo over; exit 0; }
exec 3<> wake
echo "$g" > taker
echo x >&3
cd taken && { [ $# -eq 0 ] || rm -f -- "$@"; cd ..; } || exit 1
while :; do
  read -r now < taker
  [ "$now" = "$g" ] || { echo x >&3; echo other; exit 0; }
  set --
  for f in requests/*.json; do
    name=${f#requests/}
    if [ -h "$f" ] || [ ! -f "$f" ]; then
      # Nobody of ours leaves anything else there.
      [ "$name" = '*.json' ] || rm -rf -- "$f"
      continue
    fi
    case $name in *[!0-9A-Za-z._-]*) rm -f -- "$f"; continue ;; esac
    [ $# -lt 16 ] && set -- "$@" "$f"
  done
  [ $# -eq 0 ] && [ "$again" != 1 ] || break
  [ ! -e ../exit ] || { echo over; exit 0; }
  IFS= read -r rung <&3 || exit 1
  case $rung in tick) echo idle; exit 0 ;; esac
done
show() {
  f=$1 kind=$2
  set -- $(wc -c < "$f")
  if [ "$1" -le "$m" ]; then
    line=
    IFS= read -r line < "$f" || :
    printf '%s %s\n%s\n' "$kind" "${f##*/}" "$line"
  else
    printf 'large %s\n\n' "${f##*/}"
  fi
}
echo "taken $(date +%s)"
if [ "$again" = 1 ]; then
  k=0
  for f in taken/*.json; do
    [ -f "$f" ] && [ ! -h "$f" ] && [ $k -lt 64 ] && show "$f" known
    k=$((k + 1))
  done
fi
[ $# -gt 0 ] && mv -f -- "$@" taken/ || exit 0
for f in "$@"; do
  f=taken/${f#requests/}
  [ -f "$f" ] && [ ! -h "$f" ] && show "$f" new
done
exit 0
