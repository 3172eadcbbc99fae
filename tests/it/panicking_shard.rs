//! A broker whose first shard panics as soon as all of them serve: `panicking_shard DATA`. For `stop_stories`.

use ottla::boot;
use ottla::config::{Entry, Settings, Sources};

fn main() {
    let data = std::env::args().nth(1).expect("a data directory");
    let settings = Settings::load(Sources {
        file: None,
        environment: Vec::new(),
        arguments: vec![
            Entry::flag("--data", "node.data_dir", &data),
            Entry::flag("--listen", "listeners.kafka", "127.0.0.1:0"),
            Entry::flag("--admin", "admin.listen", "off"),
        ],
    });
    boot::panics::install();
    let settings = settings.expect("sound settings");
    let ended = boot::serve(settings, |ready| panic!("a bug after \"{ready}\""));
    unreachable!("a shard panicked, yet the broker went on until {ended:?}");
}
