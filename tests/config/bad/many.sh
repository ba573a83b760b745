# More mistakes than are told.
printf 'include = %s/rest.inc\n[proxy]\n' "$DIR"
i=0
while [ $i -lt 130 ]; do
	echo "key$i = 1"
	i=$((i + 1))
done
