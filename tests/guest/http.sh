# The server of the network tests on this host; sourced, in an empty directory and with GUESTS set. serve_files: busybox's httpd
# for www/ at $port of 127.0.0.1 and of the guest's gateway, process $server. text_file MIB: a www/big.txt, whose size is $mib
# and whose sum $sum.
port=$((20000 + $$ % 20000))
mkdir -p www/cgi-bin
cat >www/cgi-bin/sum <<'CGI'
#!/bin/sh
printf 'Content-Type: text/plain\r\n\r\n'
head -c "$CONTENT_LENGTH" | md5sum
CGI
chmod +x www/cgi-bin/sum
text_file() { # text, as busybox's wget posts no other
    mib=$1
    base64 /dev/urandom | head -c ${mib}M >www/big.txt
    sum=$(md5sum <www/big.txt | cut -d' ' -f1)
}
serve_files() {
    "$GUESTS/busybox" httpd -f -p 127.0.0.1:$port -h www &
    server=$!
}
