"""Real text that a machine with Debian and Rust has anyway, always in the same order."""

import glob
import hashlib
import os
import subprocess

TEXT = (".rs", ".c", ".h", ".md", ".json", ".toml", ".txt", ".csv", ".py", ".pm", ".pl", ".html", ".js")


def sources():
    """(name, bytes) of one source at a time: a package list, a crate, a folder of documentation."""
    for path in sorted(glob.glob("/var/lib/apt/lists/*Packages*")):
        # apt keeps them compressed or not; this tool reads both.
        yield path, subprocess.run(["/usr/lib/apt/apt-helper", "cat-file", path], check=True,
                                   stdout=subprocess.PIPE).stdout
    home = os.environ.get("CARGO_HOME", os.path.expanduser("~/.cargo"))
    rustup = os.environ.get("RUSTUP_HOME", os.path.expanduser("~/.rustup"))
    folders = sorted(glob.glob(f"{home}/registry/src/*/*"))
    folders += sorted(glob.glob("/usr/lib/python3*")) + sorted(glob.glob("/usr/share/perl/*"))
    folders += sorted(glob.glob("/usr/include/*")) + sorted(glob.glob("/usr/share/doc/*"))
    folders += sorted(glob.glob(f"{rustup}/toolchains/*/share/doc/rust/html/*"))
    for folder in folders:
        if os.path.isdir(folder) and not os.path.islink(folder):
            yield folder, _folder(folder)


def _folder(top):
    pieces = []
    for path, inner, names in os.walk(top):
        inner.sort()
        for name in sorted(names):
            full = os.path.join(path, name)
            if name.endswith(TEXT) and os.path.isfile(full) and not os.path.islink(full):
                with open(full, "rb") as file:
                    pieces.append(file.read())
    return b"\n".join(pieces)


def lines(bytes_min):
    """At least that many bytes as lines without NUL, tab-free at the head; prints what they are made of."""
    total, found = 0, []
    for name, text in sources():
        kept = [line for line in text.split(b"\n") if line and b"\0" not in line and len(line) < 500_000]
        if not kept:
            continue
        size = sum(map(len, kept)) + len(kept)
        print(f"input {size:>10} bytes sha256 {hashlib.sha256(text).hexdigest()} {name}")
        found += kept
        total += size
        if total >= bytes_min:
            break
    print(f"input {total} bytes in {len(found)} lines")
    assert total >= bytes_min, f"this machine has only {total} bytes of text"
    return found
