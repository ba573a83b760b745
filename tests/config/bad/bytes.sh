# NULs, control bytes, lines that are too long.
long=$(printf 'x%.0s' 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20)
long=$long$long$long$long$long$long$long$long$long$long
printf 'include = %s/rest.inc\n' "$DIR"
printf '[proxy]\n'
printf 'workers = 1\0002\n'
printf 'hostname = a\033[31m\n'
printf 'log = std\rerr\n'
printf 'capability = %s\n' "$long"
printf '; %s\n' "$long"
printf 'log_level = info ; %s\n' "$long"
printf '[backend %.60s]\naddress = x\n' "$long"
printf '[backend %s]\naddress = x\n' "$long"
printf '[pool %.43s]\nbackends = store1\n' "$long"
