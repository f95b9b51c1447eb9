"""Signs and decrypts with a key in a PKCS#11 token: started by test_pkcs11_softhsm in a process of its own.

Arguments: folder of the settings (key.json), file to sign, file to write the SignedData to, file to decrypt, file to
write what was in it to.
"""

import sys
from pathlib import Path

import msgspec

from central.market.channels import cms
from central.market.channels.keys import KeySource, load_key


def main() -> None:
    folder, content, signed, encrypted, decrypted = (Path(argument) for argument in sys.argv[1:])
    key = load_key(msgspec.json.decode((folder / "key.json").read_bytes(), type=KeySource), folder)
    signed.write_bytes(cms.sign(content.read_bytes(), key))
    decrypted.write_bytes(cms.decrypt(encrypted.read_bytes(), [key]))


if __name__ == "__main__":
    main()
