# After look.sh. Set before: pid (whom it left behind), f (the bridge's program, or nothing).
if kill -0 "$pid" 2> /dev/null; then echo lives; kill "$pid"; else echo gone; fi
if [ -n "$f" ] && [ -f "$f" ]; then wc -c < "$f"; else echo 0; fi
