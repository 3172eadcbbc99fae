//! File < environment < command line: the entries in force, and the settings they come to.

use super::accept_loss::AcceptLoss;
use super::broker::{self, BrokerConfig, Setter};
use super::broker_keys::{self, Change};
use super::entry::{Entry, KAFKA_SECTION, Origin};
use super::error::{SettingsError, SettingsProblem};
use super::layers::{BrokerLayers, Overrides};
use super::own_keys::{self, Form, OWN_KEYS};
use super::problem::ConfigProblem;
use super::quantity::parse_size;
use super::settings::{Endpoint, Settings, is_loopback, is_wildcard};
use super::topic::{Durability, TopicRules};
use crate::base::align::{BLOCK, block_floor};
use crate::base::ids::NodeId;
use crate::base::limits::Limits;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Resolves the settings. Each layer wins over those before it; a key may occur once in a layer, except on the
/// command line, where the last one wins.
pub(super) fn resolve(
    file: Vec<Entry>,
    environment: Vec<Entry>,
    arguments: Vec<Entry>,
) -> Result<Settings, SettingsError> {
    let merged = Merged(written([file, environment, arguments])?);
    let limits = merged.limits()?;
    let rules = TopicRules::of(&limits);
    let (kafka, broker) = merged.kafka(&rules)?;
    let listen = merged.endpoint("listeners.kafka")?;
    let settings = Settings {
        node_id: NodeId(merged.number("node.id")? as i32),
        rack: Some(merged.text("node.rack")).filter(|rack| !rack.is_empty()),
        data_dir: PathBuf::from(merged.checked_text("node.data_dir")?),
        advertised: merged.advertised(&listen)?,
        admin: merged.admin(&listen)?,
        listen,
        detail_series_max: merged.number("admin.detail_series_max")? as usize,
        shards: merged.shards()?,
        durability: broker.topic.durability,
        log_level: merged.checked_text("log.level")?,
        accept_loss: AcceptLoss::default(),
        limits,
        kafka,
        broker,
    };
    Ok(settings)
}

/// The entries that win, by key: of file, environment and command line.
pub(super) fn written(
    [file, environment, arguments]: [Vec<Entry>; 3],
) -> Result<BTreeMap<String, Entry>, SettingsError> {
    let mut merged = Merged::default();
    merged.add_once(file)?;
    merged.add_once(environment)?;
    for entry in arguments {
        merged.add(entry)?;
    }
    Ok(merged.0)
}

#[derive(Default)]
struct Merged(BTreeMap<String, Entry>);

impl Merged {
    fn add_once(&mut self, entries: Vec<Entry>) -> Result<(), SettingsError> {
        let mut layer = Merged::default();
        for entry in entries {
            if let Some(other) = layer.0.get(&entry.key) {
                let other = other.origin.clone();
                let key = entry.key.clone();
                return Err(entry.fault(SettingsProblem::Twice { key, other }));
            }
            layer.add(entry)?;
        }
        self.0.append(&mut layer.0);
        Ok(())
    }

    fn add(&mut self, entry: Entry) -> Result<(), SettingsError> {
        let is_known = match entry.key.strip_prefix(KAFKA_SECTION) {
            Some(name) => broker_keys::find(name).is_some(),
            None => own_keys::find(&entry.key).is_some(),
        };
        if !is_known {
            let key = entry.key.clone();
            let nearest = nearest(&key);
            return Err(entry.fault(SettingsProblem::UnknownKey { key, nearest }));
        }
        self.0.insert(entry.key.clone(), entry);
        Ok(())
    }

    fn text(&self, key: &str) -> String {
        let default = own_keys::find(key)
            .expect("the key is in the table")
            .default;
        self.0
            .get(key)
            .map_or(default, |entry| &entry.value)
            .to_owned()
    }

    fn origin(&self, key: &str) -> Origin {
        self.0
            .get(key)
            .map_or(Origin::Default, |entry| entry.origin.clone())
    }

    fn fault(&self, key: &str, problem: SettingsProblem) -> SettingsError {
        let origin = self.origin(key);
        SettingsError { origin, problem }
    }

    /// The value has not the form its row asks for.
    fn bad_form(&self, key: &str) -> SettingsError {
        let row = own_keys::find(key).expect("the key is in the table");
        let (key, form, value) = (row.name, row.form, self.text(key));
        self.fault(key, SettingsProblem::Form { key, value, form })
    }

    fn checked_text(&self, key: &str) -> Result<String, SettingsError> {
        let text = self.text(key);
        let fits = match own_keys::find(key).expect("the key is in the table").form {
            Form::OneOf(words) => words.contains(&text.as_str()),
            Form::Path | Form::Text => !text.is_empty() && !text.contains('\0'),
            _ => true,
        };
        fits.then_some(text).ok_or_else(|| self.bad_form(key))
    }

    fn number(&self, key: &str) -> Result<u64, SettingsError> {
        let (least, most) = match own_keys::find(key).expect("the key is in the table").form {
            Form::Number(least, most) | Form::WordOrNumber(_, least, most) => (least, most),
            form => unreachable!("{key} is no number but {form}"),
        };
        let number = self.text(key).parse().ok();
        let fitting = number.filter(|number| (least..=most).contains(number));
        fitting.ok_or_else(|| self.bad_form(key))
    }

    fn size(&self, key: &str) -> Result<usize, SettingsError> {
        let (least, most) = match own_keys::find(key).expect("the key is in the table").form {
            Form::Size(least, most) => (least, most),
            form => unreachable!("{key} is no size but {form}"),
        };
        let size = parse_size(&self.text(key)).filter(|size| (least..=most).contains(size));
        let aligned = size.filter(|size| size.is_multiple_of(BLOCK as u64));
        aligned
            .map(|size| size as usize)
            .ok_or_else(|| self.bad_form(key))
    }

    fn shards(&self) -> Result<Option<u16>, SettingsError> {
        match self.text("shards.count").as_str() {
            "auto" => Ok(None),
            _ => Ok(Some(self.number("shards.count")? as u16)),
        }
    }

    fn endpoint(&self, key: &str) -> Result<Endpoint, SettingsError> {
        Endpoint::parse(&self.text(key)).ok_or_else(|| self.bad_form(key))
    }

    /// A client must be able to dial what it is told.
    fn advertised(&self, listen: &Endpoint) -> Result<Endpoint, SettingsError> {
        const KEY: &str = "listeners.advertised";
        let (key, endpoint) = match self.text(KEY).is_empty() {
            true => ("listeners.kafka", listen.clone()),
            false => (KEY, self.endpoint(KEY)?),
        };
        if is_wildcard(&endpoint.host) {
            let value = endpoint.to_string();
            return Err(self.fault(key, SettingsProblem::WildcardAdvertised { value }));
        }
        Ok(endpoint)
    }

    fn admin(&self, kafka: &Endpoint) -> Result<Option<Endpoint>, SettingsError> {
        const KEY: &str = "admin.listen";
        if self.text(KEY) == "off" {
            return Ok(None);
        }
        let endpoint = self.endpoint(KEY)?;
        let value = endpoint.to_string();
        if !is_loopback(&endpoint.host) {
            return Err(self.fault(KEY, SettingsProblem::AdminNotLoopback { value }));
        }
        if endpoint == *kafka && endpoint.port != 0 {
            return Err(self.fault(KEY, SettingsProblem::SameEndpoint { value }));
        }
        Ok(Some(endpoint))
    }

    fn limits(&self) -> Result<Limits, SettingsError> {
        let pool = self.size("shards.pool")?;
        let file = self.size("storage.journal_file")?;
        let files = self.number("storage.journal_files")? as usize;
        // A record with its header fits in any file, and leaves most of the pool to others.
        let cycle = Limits::DEFAULT.cycle_bytes_max.min(file / 2).min(pool / 8);
        let limits = Limits {
            journal_files: files,
            journal_file_bytes: file,
            journal_reserve_bytes: file,
            pool_bytes: pool,
            cycle_bytes_max: block_floor(cycle as u64) as usize,
            ..Limits::DEFAULT
        };
        // The largest batch must fit beside the reserve and the file being written.
        let needed = limits.batch_bytes_max() + 2 * BLOCK;
        let files_min = 2 + needed.div_ceil(file);
        if files < files_min {
            let problem = SettingsProblem::RingTooSmall {
                ring: (files * file) as u64,
                pool: pool as u64,
                files_min: files_min as u64,
            };
            let keys = [
                "storage.journal_file",
                "storage.journal_files",
                "shards.pool",
            ];
            let origin = self.origin_of(&keys);
            return Err(SettingsError { origin, problem });
        }
        Ok(limits)
    }

    fn kafka(&self, rules: &TopicRules) -> Result<(Overrides, BrokerConfig), SettingsError> {
        let mut kafka = Overrides::new();
        for (key, entry) in self.0.range(KAFKA_SECTION.to_owned()..) {
            let Some(name) = key.strip_prefix(KAFKA_SECTION) else {
                break;
            };
            let row = broker_keys::find(name).expect("checked when it was added");
            if let Change::Derived(setting) = row.change {
                let key = name.to_owned();
                return Err(entry.fault(SettingsProblem::Derived { key, setting }));
            }
            let value = broker::check(name, &entry.value, Setter::Node, rules)
                .map_err(|problem| entry.fault(SettingsProblem::Kafka { problem }))?;
            kafka.insert(name.to_owned(), value);
        }
        self.durability(&mut kafka)?;
        let layers = BrokerLayers::from_fixed(kafka.clone());
        let broker = BrokerConfig::resolve(&layers, rules).and_then(|config| {
            config.check_whole()?;
            Ok(config)
        });
        let broker = broker.map_err(|problem| SettingsError {
            origin: self.origin_of(involved(&problem)),
            problem: SettingsProblem::Kafka { problem },
        })?;
        Ok((kafka, broker))
    }

    /// Where the first of these keys that is set at all was set.
    fn origin_of(&self, keys: &[&str]) -> Origin {
        let set = keys.iter().find_map(|key| self.0.get(*key));
        set.map_or(Origin::Default, |entry| entry.origin.clone())
    }

    /// `storage.durability` is the broker's default for `ottla.durability`.
    fn durability(&self, kafka: &mut Overrides) -> Result<(), SettingsError> {
        const KEY: &str = "storage.durability";
        let storage = self.checked_text(KEY)?;
        match kafka.get("ottla.durability") {
            Some(kafka) if self.0.contains_key(KEY) && *kafka != storage => {
                let kafka = kafka.clone();
                Err(self.fault(KEY, SettingsProblem::DurabilityTwice { kafka, storage }))
            }
            Some(_) => Ok(()),
            None => {
                if storage != Durability::default().name() {
                    kafka.insert("ottla.durability".to_owned(), storage);
                }
                Ok(())
            }
        }
    }
}

impl Entry {
    fn fault(&self, problem: SettingsProblem) -> SettingsError {
        let origin = self.origin.clone();
        SettingsError { origin, problem }
    }
}

/// The settings that contradict each other.
fn involved(problem: &ConfigProblem) -> &'static [&'static str] {
    match problem {
        ConfigProblem::LagConflict { .. } => &[
            "kafka.log.cleaner.min.compaction.lag.ms",
            "kafka.log.cleaner.max.compaction.lag.ms",
        ],
        _ => &[],
    }
}

/// The known key that looks most like this one.
fn nearest(key: &str) -> String {
    let own = OWN_KEYS.iter().map(|row| row.name.to_owned());
    let kafka = broker::names().map(|name| format!("{KAFKA_SECTION}{name}"));
    let all = own.chain(kafka);
    all.min_by_key(|known| distance(key, known))
        .expect("there are keys")
}

/// Levenshtein's distance: letters to add, drop or replace.
fn distance(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().collect();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (i, a) in from.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, b) in to.iter().enumerate() {
            let replaced = diagonal + usize::from(a != *b);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[to.len()]
}

#[cfg(test)]
mod tests;
