//! `ottla config get` and `set`: configs of one topic, broker or group, over the wire.

use crate::client::{Client, Remote};
use crate::configs::{
    self, Assignment, BROKER, BrokerName, Changes, DEFAULT_SOURCE, GROUP, TOPIC, resource_name,
    source_name, subject, type_name,
};
use crate::failure::Failure;
use crate::output::{Column, Output, Table, or_dash, print};
use clap::{Args, Subcommand};
use ottla::wire::messages::describe_configs::DescribeConfigsResourceResult;
use serde::Serialize;

#[derive(Args)]
pub(super) struct Get {
    #[command(flatten)]
    remote: Remote,
    /// Without those that nobody has set.
    #[arg(long, global = true)]
    changed: bool,
    #[command(subcommand)]
    whose: GetWhose,
}

#[derive(Subcommand)]
enum GetWhose {
    Topic {
        name: String,
        /// All, unless some are named.
        #[arg(value_name = "KEY")]
        keys: Vec<String>,
    },
    Broker {
        /// A node id, or all: what brokers have that do not say otherwise.
        id: BrokerName,
        #[arg(value_name = "KEY")]
        keys: Vec<String>,
    },
    Group {
        name: String,
        #[arg(value_name = "KEY")]
        keys: Vec<String>,
    },
}

#[derive(Args)]
pub(super) struct Set {
    #[command(flatten)]
    remote: Remote,
    #[command(subcommand)]
    whose: SetWhose,
}

#[derive(Subcommand)]
enum SetWhose {
    Topic {
        name: String,
        #[command(flatten)]
        wishes: Wishes,
    },
    Broker {
        /// A node id, or all: what brokers have that do not say otherwise.
        id: BrokerName,
        #[command(flatten)]
        wishes: Wishes,
    },
    Group {
        name: String,
        #[command(flatten)]
        wishes: Wishes,
    },
}

#[derive(Args)]
struct Wishes {
    #[arg(value_name = "KEY=VALUE")]
    set: Vec<Assignment>,
    /// Back to the default. May be repeated.
    #[arg(long, value_name = "KEY")]
    unset: Vec<String>,
    /// Adds to a list. May be repeated.
    #[arg(long, value_name = "KEY=VALUE")]
    append: Vec<Assignment>,
    /// Takes from a list. May be repeated.
    #[arg(long, value_name = "KEY=VALUE")]
    subtract: Vec<Assignment>,
    /// Lets the broker check everything and change nothing.
    #[arg(long)]
    dry_run: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Resource<'a> {
    resource_type: &'a str,
    resource_name: &'a str,
    configs: Vec<Config>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Config {
    name: String,
    /// Null when it is secret, or not set.
    value: Option<String>,
    config_source: &'static str,
    config_type: &'static str,
    read_only: bool,
    is_sensitive: bool,
    synonyms: Vec<Synonym>,
    documentation: Option<String>,
}

#[derive(Serialize)]
struct Synonym {
    name: String,
    value: Option<String>,
    source: &'static str,
}

pub(super) fn get(output: &Output, wanted: &Get) -> Result<(), Failure> {
    let (kind, name, keys) = match &wanted.whose {
        GetWhose::Topic { name, keys } => (TOPIC, name, keys),
        GetWhose::Broker { id, keys } => (BROKER, &id.0, keys),
        GetWhose::Group { name, keys } => (GROUP, name, keys),
    };
    let mut client = Client::new(&wanted.remote, output.verbose);
    let mut found = configs::describe(&mut client, kind, name, keys)?;
    found.retain(|config| !wanted.changed || config.config_source != DEFAULT_SOURCE);
    if let Some(key) = keys.iter().find(|key| !wanted.changed && !has(&found, key)) {
        let failure = Failure::new(format!("{} has no config {key}", subject(kind, name)));
        return Err(failure.fix("the same without a KEY lists what it has"));
    }
    let resource = Resource {
        resource_type: resource_name(kind),
        resource_name: name,
        configs: found.into_iter().map(config).collect(),
    };
    output.show(&resource, || vec![table(&resource.configs)])
}

fn has(found: &[DescribeConfigsResourceResult], key: &str) -> bool {
    found.iter().any(|config| config.name == key)
}

fn config(found: DescribeConfigsResourceResult) -> Config {
    let synonyms = found.synonyms.into_iter().map(|synonym| Synonym {
        name: synonym.name,
        value: synonym.value,
        source: source_name(synonym.source),
    });
    Config {
        name: found.name,
        value: found.value,
        config_source: source_name(found.config_source),
        config_type: type_name(found.config_type),
        read_only: found.read_only,
        is_sensitive: found.is_sensitive,
        synonyms: synonyms.collect(),
        documentation: found.documentation,
    }
}

fn table(configs: &[Config]) -> Table {
    let mut table = Table::new(&[
        Column::Text("CONFIG"),
        Column::Text("VALUE"),
        Column::Text("FROM"),
        Column::Text(""),
    ]);
    for config in configs {
        let value = match config.is_sensitive {
            true => "(secret)".to_owned(),
            false => or_dash(config.value.as_ref()),
        };
        let fixed = if config.read_only { "read-only" } else { "" };
        table.row([
            config.name.clone(),
            value,
            config.config_source.to_owned(),
            fixed.to_owned(),
        ]);
    }
    table
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Changed<'a> {
    resource_type: &'a str,
    resource_name: &'a str,
    validate_only: bool,
}

pub(super) fn set(output: &Output, wanted: &Set) -> Result<(), Failure> {
    let (kind, name, wishes) = match &wanted.whose {
        SetWhose::Topic { name, wishes } => (TOPIC, name, wishes),
        SetWhose::Broker { id, wishes } => (BROKER, &id.0, wishes),
        SetWhose::Group { name, wishes } => (GROUP, name, wishes),
    };
    let changes = Changes {
        set: &wishes.set,
        unset: &wishes.unset,
        append: &wishes.append,
        subtract: &wishes.subtract,
    };
    if changes.is_empty() {
        let failure = Failure::usage("nothing is to be set");
        return Err(failure.fix("KEY=VALUE, --unset KEY, --append or --subtract KEY=VALUE"));
    }
    let mut client = Client::new(&wanted.remote, output.verbose);
    let resources = vec![changes.of(kind, name)];
    for result in configs::alter(&mut client, resources, wishes.dry_run)? {
        result?;
    }
    if output.is_json() {
        let changed = Changed {
            resource_type: resource_name(kind),
            resource_name: name,
            validate_only: wishes.dry_run,
        };
        return output.show(&changed, Vec::new);
    }
    let would = if wishes.dry_run { "would be " } else { "" };
    print(&format!("{}: {would}changed\n", subject(kind, name)))
}
