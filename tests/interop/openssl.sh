#!/usr/bin/env bash
# OpenSSL >= 3.5 reads the key files of `pqc-gpu identity new`, and its own key is imported.
# Usage: openssl.sh PATH/TO/pqc-gpu FOLDER
set -euo pipefail
program=$1 folder=$2
"$program" identity new "$folder/ours" >/dev/null
openssl pkey -in "$folder/ours.pem" -noout -text | grep -qi 'ML-DSA-65'
openssl pkey -pubin -in "$folder/ours.pub.pem" -noout -text | grep -qi 'ML-DSA-65'
echo message >"$folder/message"
openssl pkeyutl -sign -inkey "$folder/ours.pem" -rawin -in "$folder/message" -out "$folder/signature"
openssl pkeyutl -verify -pubin -inkey "$folder/ours.pub.pem" -rawin -in "$folder/message" -sigfile "$folder/signature"
openssl genpkey -algorithm ML-DSA-65 -out "$folder/theirs.pem"
"$program" identity import "$folder/theirs.pem" "$folder/imported"
