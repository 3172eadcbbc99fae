//! The table of the node's own settings: what is not Kafka's. One row per key, sorted by name.

/// One row of the table. The part before the dot is the section of the file.
#[derive(Debug)]
pub struct OwnKey {
    pub name: &'static str,
    pub default: &'static str,
    pub form: Form,
    pub documentation: &'static str,
}

/// What a value must look like.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Form {
    Text,
    /// May be left empty.
    OptionalText,
    Path,
    Number(u64, u64),
    /// The word, or a number in the range.
    WordOrNumber(&'static str, u64, u64),
    /// With a unit, a multiple of 4 KiB.
    Size(u64, u64),
    OneOf(&'static [&'static str]),
    /// `host:port`.
    Endpoint,
    /// May be left empty.
    OptionalEndpoint,
    /// `host:port`, or `off`.
    EndpointOrOff,
}

pub fn find(name: &str) -> Option<&'static OwnKey> {
    let index = OWN_KEYS.binary_search_by(|key| key.name.cmp(name)).ok()?;
    Some(&OWN_KEYS[index])
}

const KIB: u64 = 1 << 10;
const GIB: u64 = 1 << 30;

#[rustfmt::skip]
pub const OWN_KEYS: &[OwnKey] = &[
    OwnKey {
        name: "admin.detail_series_max", default: "10000", form: Form::Number(0, 1_000_000),
        documentation: "The most series /metrics/detail shows of topics, partitions and groups; how many are left \
                        out is one of them.",
    },
    OwnKey {
        name: "admin.listen", default: "127.0.0.1:9644", form: Form::EndpointOrOff,
        documentation: "Where operators reach health and metrics by HTTP; off for nowhere. Loopback only, until it \
                        can ask who is there.",
    },
    OwnKey {
        name: "listeners.advertised", default: "", form: Form::OptionalEndpoint,
        documentation: "What clients are told to dial; empty: the same as listeners.kafka. Needed when that is a \
                        wildcard. Port 0: the port that was bound.",
    },
    OwnKey {
        name: "listeners.kafka", default: "localhost:9092", form: Form::Endpoint,
        documentation: "Where Kafka clients connect. localhost is both loopback addresses; port 0 takes a free one.",
    },
    OwnKey {
        name: "log.level", default: "info", form: Form::OneOf(&["error", "warn", "info", "debug", "trace"]),
        documentation: "The least important lines that are logged.",
    },
    OwnKey {
        name: "node.data_dir", default: "./ottla-data", form: Form::Path,
        documentation: "The directory that holds everything this node knows. On a local file system with direct \
                        I/O (XFS, ext4).",
    },
    OwnKey {
        name: "node.id", default: "0", form: Form::Number(0, 1_000_000),
        documentation: "The number of this broker, fixed when its directory is made.",
    },
    OwnKey {
        name: "node.rack", default: "", form: Form::OptionalText,
        documentation: "The rack this broker stands in, shown to clients.",
    },
    OwnKey {
        name: "shards.count", default: "auto", form: Form::WordOrNumber("auto", 1, 1024),
        documentation: "Cores to use; auto: every core of the process's affinity mask but the first, which is left to interrupts, \
                        to the kernel's workers and to other processes. May change from start to start.",
    },
    OwnKey {
        name: "shards.pool", default: "64MiB", form: Form::Size(512 * KIB, 64 * GIB),
        documentation: "Memory of one shard for requests and for the newest part of its logs. The hard limit: when \
                        it is used up, sockets are not read. An eighth of it is the largest batch.",
    },
    OwnKey {
        name: "storage.durability", default: "flushed", form: Form::OneOf(&["flushed", "memory"]),
        documentation: "What an acknowledgement promises for topics that do not choose: flushed survives power \
                        loss, memory loses the newest records when the machine stops.",
    },
    OwnKey {
        name: "storage.journal_file", default: "16MiB", form: Form::Size(64 * KIB, 4 * GIB),
        documentation: "Size of one file of a shard's journal ring. Disk used per shard is this times \
                        storage.journal_files. Changes take effect when the ring is next made.",
    },
    OwnKey {
        name: "storage.journal_files", default: "8", form: Form::Number(3, 1024),
        documentation: "Files in a shard's journal ring.",
    },
];
