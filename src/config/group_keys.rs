//! The table of group configs: one row per key, sorted by name. Names, types, defaults and ranges are Apache Kafka's.

use super::broker_keys;
use super::layers::{BrokerLayers, Overrides};
use super::problem::ConfigProblem;
use super::value::{Check, Kind, canonical};

/// One row of the table. A group without a value of its own has that of a broker config.
#[derive(Debug)]
pub struct GroupKey {
    pub name: &'static str,
    pub kind: Kind,
    pub default: &'static str,
    pub check: Check,
    pub synonym: &'static str,
    /// Broker configs that bound it.
    pub least: &'static str,
    pub most: &'static str,
    pub documentation: &'static str,
}

pub const GROUP_KEYS: &[GroupKey] = &[
    GroupKey {
        name: "consumer.heartbeat.interval.ms",
        kind: Kind::Int,
        default: "5000",
        check: Check::AtLeast(1),
        synonym: "group.consumer.heartbeat.interval.ms",
        least: "group.consumer.min.heartbeat.interval.ms",
        most: "group.consumer.max.heartbeat.interval.ms",
        documentation: "How often members report, in groups of the consumer protocol (KIP-848). Kept, and without \
                        effect until this broker speaks that protocol.",
    },
    GroupKey {
        name: "consumer.session.timeout.ms",
        kind: Kind::Int,
        default: "45000",
        check: Check::AtLeast(1),
        synonym: "group.consumer.session.timeout.ms",
        least: "group.consumer.min.session.timeout.ms",
        most: "group.consumer.max.session.timeout.ms",
        documentation: "How long a member may be silent, in groups of the consumer protocol (KIP-848). Kept, and \
                        without effect until this broker speaks that protocol.",
    },
];

pub fn find(name: &str) -> Option<&'static GroupKey> {
    GROUP_KEYS.iter().find(|key| key.name == name)
}

/// Checks one group config as a client sets it, and returns the canonical value.
pub fn check(name: &str, value: &str) -> Result<String, ConfigProblem> {
    let key = find(name).ok_or_else(|| ConfigProblem::UnknownGroupConfig {
        name: name.to_owned(),
    })?;
    canonical(name, value, key.kind, key.check)
}

/// Checks what a group is set to against what the broker allows.
pub fn check_whole(overrides: &Overrides, layers: &BrokerLayers) -> Result<(), ConfigProblem> {
    for key in GROUP_KEYS {
        let Some(own) = overrides.get(key.name) else {
            continue;
        };
        let own = number(own);
        for (bound, is_broken) in [
            (key.least, own < limit(key.least, layers)),
            (key.most, own > limit(key.most, layers)),
        ] {
            if is_broken {
                return Err(ConfigProblem::OutOfBounds {
                    name: key.name,
                    bound,
                    is_below: bound == key.least,
                });
            }
        }
    }
    Ok(())
}

fn limit(name: &str, layers: &BrokerLayers) -> i64 {
    let key = broker_keys::find(name).expect("a bound is a broker config");
    let value = layers.get(name).or(key.default);
    number(value.expect("a bound has a default"))
}

fn number(canonical: &str) -> i64 {
    canonical
        .parse()
        .expect("a canonical integer is an integer")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted_documented_and_has_valid_defaults() {
        assert!(GROUP_KEYS.is_sorted_by(|a, b| a.name < b.name));
        for key in GROUP_KEYS {
            assert_eq!(check(key.name, key.default).as_deref(), Ok(key.default));
            assert!(key.documentation.ends_with('.'), "{}", key.name);
            let synonym = broker_keys::find(key.synonym).expect("a broker config");
            assert_eq!(
                (synonym.kind, synonym.default),
                (key.kind, Some(key.default))
            );
        }
    }

    #[test]
    fn a_group_stays_within_the_brokers_bounds() {
        let most = [(
            "group.consumer.max.session.timeout.ms".to_owned(),
            "70000".to_owned(),
        )];
        let raised = BrokerLayers::from_fixed(most.into_iter().collect());
        for (name, value, layers, refusal) in [
            (
                "consumer.session.timeout.ms",
                "50000",
                BrokerLayers::default(),
                None,
            ),
            ("consumer.session.timeout.ms", "65000", raised, None),
            (
                "consumer.session.timeout.ms",
                "44999",
                BrokerLayers::default(),
                Some("greater than or equal to group.consumer.min.session.timeout.ms"),
            ),
            (
                "consumer.session.timeout.ms",
                "60001",
                BrokerLayers::default(),
                Some("less than or equal to group.consumer.max.session.timeout.ms"),
            ),
            (
                "consumer.heartbeat.interval.ms",
                "15001",
                BrokerLayers::default(),
                Some("less than or equal to group.consumer.max.heartbeat.interval.ms"),
            ),
        ] {
            let own = Overrides::from([(name.to_owned(), value.to_owned())]);
            let found = check_whole(&own, &layers).map_err(|problem| problem.to_string());
            let expected = refusal.map(|bound| format!("{name} must be {bound}"));
            assert_eq!(found.err(), expected, "{name} {value}");
        }
    }
}
