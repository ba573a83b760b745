# The sample with everything in it that is commented out.
sed -e 's|^;||' -e '/^include/d' \
	-e "s|/etc/sallyport/tls/fullchain.pem|$DIR/ec.pem|" -e "s|/etc/sallyport/tls/privkey.pem|$DIR/ec.key|" \
	-e "s|/etc/sallyport/tls/example.net.pem|$DIR/ec2.pem|" -e "s|/etc/sallyport/tls/example.net.key|$DIR/ec2.key|" \
	-e "s|/etc/sallyport/stores-ca.pem|$DIR/ec.pem|" -e "s|/etc/sallyport/probe-password|$DIR/probe|" -e "s|/etc/sallyport/users|$DIR/users_sample|" \
	../../etc/sallyport.conf
