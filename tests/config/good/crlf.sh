# Lines that end in CRLF, a byte order mark in front, no end of the last line.
printf '\357\273\277include = %s/rest.inc\r\n[proxy]\r\nworkers = 1\r\n\r\n; comment\r\nhostname = a.example' "$DIR"
