#!/usr/bin/env bash
# Brings amdgpu.ko and i915.ko of Debian's newest amd64 kernel, and the certificate that signed them if Python is there.
# Nothing is installed. Prints the reason and fails where they cannot be had.
#
# Usage: debian_modules.sh FOLDER
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$1"
folder=$(cd "$1" && pwd)
for tool in apt-cache apt-get dpkg-deb; do
  command -v "$tool" >/dev/null || { echo "$tool is missing: this is not Debian"; exit 1; }
done
package=$(apt-cache depends linux-image-amd64 2>/dev/null | awk '$1 == "Depends:" && /linux-image-/ {print $2; exit}')
[ -n "$package" ] || { echo "apt knows no linux-image-amd64 (apt-get update?)"; exit 1; }
[ "$(cat "$folder/package" 2>/dev/null)" = "$package" ] && exit 0

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
apt-get download "$package" >/dev/null 2>&1 || { echo "$package cannot be downloaded"; exit 1; }
dpkg-deb --fsys-tarfile "$package"_*.deb |
  tar -x --wildcards '*/drivers/gpu/drm/amd/amdgpu/*' '*/drivers/gpu/drm/i915/*' './boot/vmlinuz-*'
for name in amdgpu i915; do
  found=$(find . -name "$name.ko*" -type f | head -n 1)
  case $found in
    *.ko) cp "$found" "$folder/$name.ko" ;;
    *.ko.xz) xz -dc "$found" >"$folder/$name.ko" ;;
    *.ko.zst) zstd -qdc "$found" >"$folder/$name.ko" ;;
    *) echo "$package has no $name.ko"; exit 1 ;;
  esac
done
rm -f "$folder/kernel.x509"
if command -v python3 >/dev/null; then
  python3 "$here/kernel_certificate.py" boot/vmlinuz-* "$folder/i915.ko" "$folder/kernel.x509" ||
    echo "no certificate was found in the kernel image" >&2
fi
echo "$package" >"$folder/package"
