# A pool of 300 stores, ten a line.
printf 'include = %s/rest.inc\n[pool large]\n' "$DIR"
for i in 0 1 2 3 4 5 6 7 8 9; do
	for j in 0 1 2; do
		line="backends = "
		for k in 0 1 2 3 4 5 6 7 8 9; do
			line="$line${sep:-}s$i$j$k"
			sep=", "
		done
		sep=
		echo "$line"
	done
done
for i in 0 1 2 3 4 5 6 7 8 9; do
	for j in 0 1 2; do
		for k in 0 1 2 3 4 5 6 7 8 9; do
			printf '[backend s%s]\naddress = 10.0.%s.%s:143\ntls = none\n' "$i$j$k" "$i" "$j$k"
		done
	done
done
