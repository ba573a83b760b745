# The sample as it is, with files that exist.
sed -e "s|/etc/sallyport/tls/fullchain.pem|$DIR/ec.pem|" -e "s|/etc/sallyport/tls/privkey.pem|$DIR/ec.key|" \
	../../etc/sallyport.conf
