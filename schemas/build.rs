//! Turns the compact notation of `schemas/kafka/` into Rust at build time: one module per API in `OUT_DIR`.

mod generate;

use std::path::Path;
use std::{env, fs};

fn main() {
    println!("cargo::rerun-if-changed=schemas");
    let out = env::var("OUT_DIR").expect("cargo sets OUT_DIR");
    let apis = generate::notation::read_folder(Path::new("schemas/kafka"));
    fs::write(
        Path::new(&out).join("messages.rs"),
        generate::rust::module(&apis),
    )
    .expect("OUT_DIR is writable");
}
