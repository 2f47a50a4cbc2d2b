# What this place has. Set before: p (our root), c (the workspace). Leaves a process behind: whether it outlives us shows
# whether a run would.
umask 077
mkdir -p -- "$c" "$p" && cd -- "$c" || exit 1
for word in base64 mkfifo tail head wc date sed; do
  command -v $word > /dev/null 2>&1 || { echo "no $word" >&2; exit 1; }
done
sh -c 'sleep 30' < /dev/null > /dev/null 2>&1 &
pid=$!
kind=none path=
for word in node python3; do
  path=$(command -v $word 2> /dev/null) && "$path" --version > /dev/null 2>&1 && { kind=$word; break; }
done
printf 'paperclip-look\n%s\n%s\n%s\n%s\n%s\n' "$pid" "$kind" "$path" "$(pwd)" "$p"
