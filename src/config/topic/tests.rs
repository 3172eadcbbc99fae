use super::*;

#[allow(dead_code)]
fn overrides(pairs: &[(&str, &str)]) -> Overrides {
    let own = |&(name, value): &(&str, &str)| (name.to_owned(), value.to_owned());
    pairs.iter().map(own).collect()
}

#[test]
fn the_table_is_sorted_documented_and_has_valid_defaults() {
    assert!(TOPIC_KEYS.is_sorted_by(|a, b| a.name < b.name));
    for key in TOPIC_KEYS {
        let stored = canonical(key.name, key.default, key.kind, key.check);
        assert_eq!(stored.as_deref(), Ok(key.default), "{}", key.name);
        assert!(key.documentation.ends_with('.'), "{}", key.name);
        assert!(!RESERVED_KEYS.contains(&key.name));
    }
}

#[test]
fn the_typed_defaults_are_those_of_the_table() {
    let inherited = TopicConfig::inherit(&BrokerLayers::default(), &TopicRules::default());
    assert_eq!(inherited, Ok(TopicConfig::default()));
}
