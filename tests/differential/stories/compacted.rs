//! Topics that are compacted: what may be written to them, and deleted.

use super::batches::{Record, batch};
use super::build::*;
use crate::session::Session;

pub(super) fn compacted(session: &Session) {
    let mut client = session.client();
    for policy in ["compact", "compact,delete", "delete"] {
        let topic = client.topic("compacted", 1, &[("cleanup.policy", Some(policy))]);
        for (what, keys) in [
            ("with keys", &[Some("a"), Some("b"), Some("")][..]),
            ("without a key", &[None]),
            ("the second without", &[Some("a"), None, Some("c")]),
        ] {
            let records: Vec<Record> = keys.iter().map(|key| keyed(*key, Some("v"))).collect();
            client.ask(
                &format!("{policy}: {what}"),
                &produce(&topic, -1, vec![(0, batch(&records))]),
            );
        }
        let marker = batch(&[keyed(Some("a"), None)]);
        client.ask(
            &format!("{policy}: a marker"),
            &produce(&topic, -1, vec![(0, marker)]),
        );
        client.ask(&format!("{policy}: read"), &fetch(&topic, &[(0, 0)]));
        for before in [2, 9, -1] {
            client.ask(
                &format!("{policy}: delete before {before}"),
                &delete_records(&topic, &[(0, before)]),
            );
        }
        client.ask(
            &format!("{policy}: the end"),
            &list_offsets(&topic, &[(0, -1), (0, -2)]),
        );
        client.delete(&topic);
    }
}

fn keyed(key: Option<&str>, value: Option<&str>) -> Record {
    Record {
        timestamp: LONG_AGO,
        key: key.map(Into::into),
        value: value.map(Into::into),
        ..Record::default()
    }
}
