//! The driver of the crate rdkafka; its requests are explained in scenarios/driver.py.

mod admin;
mod member;
mod records;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use serde_json::{Value, json};
use std::io::BufRead;
use std::time::Duration;

const UNKNOWN_TOPIC_OR_PARTITION: i32 = 3;
const REQUEST_TIME_MAX: Duration = Duration::from_secs(20);
const POLL_TIME: Duration = Duration::from_millis(100);

/// Why there is no answer.
enum Failure {
    /// The library has no such function.
    Unavailable(&'static str),
    Refused(RDKafkaErrorCode),
    Other(String),
}

type Answer = Result<Value, Failure>;

impl From<KafkaError> for Failure {
    fn from(error: KafkaError) -> Failure {
        match error.rdkafka_error_code() {
            Some(code) => Failure::Refused(code),
            None => Failure::Other(error.to_string()),
        }
    }
}

impl From<RDKafkaErrorCode> for Failure {
    fn from(code: RDKafkaErrorCode) -> Failure {
        Failure::Refused(code)
    }
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let mut lines = std::io::stdin().lock().lines().map(|line| {
        serde_json::from_str::<Value>(&line.expect("standard input")).expect("a line is JSON")
    });
    if arguments.len() > 2 {
        let settings = lines.next().expect("the first line says who it is");
        drop(lines);
        return member::run(&arguments[1], &settings);
    }
    let session = Session::new(&arguments[1]);
    for request in lines {
        println!("{}", session.answer(&request));
    }
}

struct Session {
    address: String,
    admin: admin::Admin,
}

impl Session {
    fn new(address: &str) -> Session {
        Session {
            address: address.to_owned(),
            admin: admin::Admin::new(address),
        }
    }

    fn answer(&self, request: &Value) -> Value {
        let failure = match self.serve(request) {
            Ok(answer) => return answer,
            Err(failure) => failure,
        };
        match failure {
            Failure::Unavailable(reason) => json!({ "unavailable": reason }),
            // What librdkafka finds out from metadata has codes of its own.
            Failure::Refused(
                RDKafkaErrorCode::UnknownTopic | RDKafkaErrorCode::UnknownPartition,
            ) => {
                json!({ "refused": UNKNOWN_TOPIC_OR_PARTITION, "text": "from metadata" })
            }
            Failure::Refused(code) if code as i32 > 0 => {
                json!({ "refused": code as i32, "text": code.to_string() })
            }
            Failure::Refused(code) => json!({ "failed": code.to_string() }),
            Failure::Other(text) => json!({ "failed": text }),
        }
    }

    fn serve(&self, request: &Value) -> Answer {
        match text(&request["do"]) {
            "produce" => records::produce(&self.address, request),
            "consume" => records::consume(&self.address, request),
            "seek" => records::seek(&self.address, request),
            "lookup" => records::lookup(&self.address, request),
            "committed" => records::committed(&self.address, request),
            _ => self.admin.serve(request),
        }
    }
}

fn text(value: &Value) -> &str {
    value.as_str().expect("a text")
}

fn number(value: &Value) -> i64 {
    value.as_i64().expect("a number")
}

/// (partition, value) of an object by partition.
fn by_partition(value: &Value) -> impl Iterator<Item = (i32, &Value)> {
    let fields = value.as_object().expect("an object").iter();
    fields.map(|(partition, value)| (partition.parse().expect("a partition"), value))
}

fn packed(content: Option<&[u8]>) -> Value {
    content.map_or(Value::Null, |content| STANDARD.encode(content).into())
}

fn unpacked(value: &Value) -> Option<Vec<u8>> {
    value
        .as_str()
        .map(|text| STANDARD.decode(text).expect("base64"))
}
