"""Read one certificate, or the entries of a log, without any network or reactor.

python examples/one_certificate.py certificate.pem
python examples/one_certificate.py certificate.der
curl 'https://LOG/ct/v1/get-entries?start=5&end=5' > page.json
python examples/one_certificate.py page.json
"""

import json
import ssl
import sys
from base64 import b64decode
from pathlib import Path

import msgspec

from certstream_tx import Log, message_of, read_certificate, read_entry


def main(path):
    data = Path(path).read_bytes()
    if data.lstrip().startswith(b"{"):
        print_messages(json.loads(data)["entries"])
        return
    if b"-----BEGIN CERTIFICATE-----" in data:
        data = ssl.PEM_cert_to_DER_cert(data.decode("ascii"))
    certificate = read_certificate(data)
    if certificate.error:
        raise SystemExit(f"{path}: {certificate.error}")
    print(msgspec.json.encode(certificate).decode())


def print_messages(page, first_index=0):
    """The messages about a page of get-entries (RFC 6962, 4.6), as the full stream has them."""
    log = Log(name="a log", url="https://log.example", kind="rfc6962")
    for index, leaf in enumerate(page, first_index):
        entry = read_entry(index, b64decode(leaf["leaf_input"]), b64decode(leaf["extra_data"]))
        print(message_of(entry, log).full().decode())


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    main(sys.argv[1])
