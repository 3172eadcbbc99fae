//! One answer: the median over rounds, its range, and what the disk alone did in the same rounds.
#![allow(
    dead_code,
    reason = "shared by several programs, each of which uses a part"
)]

use serde_json::{Map, Value, json};

pub(crate) struct Row {
    fields: Map<String, Value>,
    values: Vec<f64>,
    floors: Vec<f64>,
}

impl Row {
    /// Of a broker whose acknowledged records are on the disk.
    pub(crate) fn new(question: &str, unit: &str) -> Row {
        Row::of_code(question, unit).with("durability", "flushed")
    }

    /// Of code that touches no disk.
    pub(crate) fn of_code(question: &str, unit: &str) -> Row {
        let mut fields = Map::new();
        fields.insert("question".into(), json!(question));
        fields.insert("unit".into(), json!(unit));
        Row {
            fields,
            values: Vec::new(),
            floors: Vec::new(),
        }
    }

    pub(crate) fn with(mut self, name: &str, value: impl Into<Value>) -> Row {
        self.fields.insert(name.into(), value.into());
        self
    }

    pub(crate) fn round(&mut self, value: f64) {
        self.values.push(value);
    }

    /// The disk's own number of the same round.
    pub(crate) fn round_over(&mut self, value: f64, floor: f64) {
        self.values.push(value);
        self.floors.push(floor);
    }

    /// A percentile has none when there were too few samples for it.
    pub(crate) fn has_rounds(&self) -> bool {
        !self.values.is_empty()
    }

    pub(crate) fn print(mut self) {
        let value = median(&mut self.values);
        self.fields.insert("value".into(), rounded(value));
        let (least, most) = (self.values[0], self.values[self.values.len() - 1]);
        self.fields
            .insert("range".into(), json!([rounded(least), rounded(most)]));
        if !self.floors.is_empty() {
            let floor = median(&mut self.floors);
            self.fields.insert("floor".into(), rounded(floor));
            self.fields.insert("ratio".into(), rounded(value / floor));
        }
        self.fields
            .insert("rounds".into(), json!(self.values.len()));
        println!("{}", Value::Object(self.fields));
    }
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn rounded(value: f64) -> Value {
    json!((value * 100.0).round() / 100.0)
}

/// Microseconds below which `part` of the samples lie; none when fewer than ten lie above.
pub(crate) fn percentile(sorted: &[f64], part: f64) -> Option<f64> {
    let index = (sorted.len() as f64 * part) as usize;
    let above = sorted.len() - index;
    (above >= 10 || part <= 0.5).then(|| sorted[index.min(sorted.len() - 1)])
}
