//! Tells the linker to write relative relocations in their packed form: the loader reads 50 kB instead of
//! megabytes, which would stay resident. A linker that cannot do it says so and goes on.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rustc-link-arg-bins=-Wl,-z,pack-relative-relocs");
}
