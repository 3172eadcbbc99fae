//! Writes the sample results into a folder, one JSON document each: `sample_runs FOLDER`.

#[path = "../../src/latency.rs"]
#[allow(dead_code, reason = "a part of another program")]
mod latency;
#[path = "../../src/result.rs"]
#[allow(dead_code, reason = "a part of another program")]
mod result;
mod runs;

use std::path::Path;

fn main() {
    let folder = std::env::args().nth(1).expect("sample_runs FOLDER");
    for (name, run) in runs::samples() {
        let path = Path::new(&folder).join(format!("{name}.json"));
        let text = serde_json::to_string(&run).expect("results are plain data");
        std::fs::write(&path, text).expect("a folder that can be written");
    }
}
