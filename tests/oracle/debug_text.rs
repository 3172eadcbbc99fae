//! Reads what `{:?}` printed, so that messages of two crates can be compared field by field.

use std::collections::BTreeMap;
use std::str::Chars;

#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Value {
    Scalar(String),
    Some(Box<Value>),
    List(Vec<Value>),
    Struct(String, BTreeMap<String, Value>),
}

/// Every field of `ours` is in `theirs`, with the same value. Fields that only later versions have may be theirs alone.
pub(crate) fn compare(ours: &str, theirs: &str) -> Result<(), String> {
    same("message", &parse(ours), &parse(theirs))
}

/// The value that was printed.
pub(crate) fn parse(text: &str) -> Value {
    Parser::parse(text)
}

fn same(path: &str, ours: &Value, theirs: &Value) -> Result<(), String> {
    match (ours, theirs) {
        (Value::Some(ours), Value::Some(theirs)) => same(path, ours, theirs),
        (Value::List(ours), Value::List(theirs)) if ours.len() == theirs.len() => ours
            .iter()
            .zip(theirs)
            .try_for_each(|(ours, theirs)| same(path, ours, theirs)),
        (Value::Struct(our_name, ours), Value::Struct(their_name, theirs)) => {
            // The oracle has one namespace for requests and one for responses.
            if our_name.strip_prefix("Request").unwrap_or(our_name) != their_name {
                return Err(format!("{path} is a {our_name}, theirs a {their_name}"));
            }
            for (name, ours) in ours {
                match theirs.get(name) {
                    Some(theirs) => same(&format!("{path}.{name}"), ours, theirs)?,
                    // An API without flexible versions has no tagged fields in the oracle.
                    None if *ours == Value::List(Vec::new()) => {}
                    None => return Err(format!("{path}.{name} is ours alone")),
                }
            }
            Ok(())
        }
        _ if ours == theirs => Ok(()),
        _ => Err(format!("{path} is {ours:?}, theirs {theirs:?}")),
    }
}

struct Parser<'a>(std::iter::Peekable<Chars<'a>>);

impl Parser<'_> {
    fn parse(text: &str) -> Value {
        let mut parser = Parser(text.chars().peekable());
        let value = parser.value();
        assert_eq!(parser.0.next(), None, "all of {text} is one value");
        value
    }

    fn value(&mut self) -> Value {
        let word = self.word();
        match self.0.peek() {
            Some('"') => Value::Scalar(word + &self.quoted()),
            Some('[') => Value::List(self.items('[', ']')),
            // The oracle keeps unknown tagged fields in a map.
            Some('{') if word.is_empty() => Value::List(self.items('{', '}')),
            Some(' ') if word.starts_with(|first: char| first.is_ascii_uppercase()) => {
                self.0.next();
                Value::Struct(word, self.fields())
            }
            Some('(') => {
                let inner = self
                    .items('(', ')')
                    .pop()
                    .expect("a wrapper holds one value");
                // `TopicName("x")` and the like are the oracle's newtypes.
                if word == "Some" {
                    Value::Some(Box::new(inner))
                } else {
                    inner
                }
            }
            _ => Value::Scalar(plain_uuid(word)),
        }
    }

    /// Values between brackets. `7: b"x"` in a map is the list of its parts.
    fn items(&mut self, open: char, close: char) -> Vec<Value> {
        self.expect(open);
        let mut items = Vec::new();
        while self.0.next_if_eq(&close).is_none() {
            let mut item = self.value();
            if self.0.next_if_eq(&':').is_some() {
                self.expect(' ');
                item = Value::List(vec![item, self.value()]);
            }
            items.push(item);
            if self.0.next_if_eq(&',').is_some() {
                self.expect(' ');
            }
        }
        items
    }

    fn fields(&mut self) -> BTreeMap<String, Value> {
        self.expect('{');
        let mut fields = BTreeMap::new();
        loop {
            self.expect(' ');
            let name = self.word();
            self.expect(':');
            self.expect(' ');
            fields.insert(name, self.value());
            if self.0.next_if_eq(&',').is_none() {
                self.expect(' ');
                self.expect('}');
                return fields;
            }
        }
    }

    fn word(&mut self) -> String {
        let mut word = String::new();
        while let Some(letter) = self
            .0
            .next_if(|&c| c.is_alphanumeric() || c == '_' || c == '-')
        {
            word.push(letter);
        }
        word
    }

    fn quoted(&mut self) -> String {
        let mut text = String::new();
        self.expect('"');
        loop {
            match self.0.next().expect("a quote is closed") {
                '"' => return text,
                '\\' => text.extend(['\\', self.0.next().expect("an escape is complete")]),
                letter => text.push(letter),
            }
        }
    }

    fn expect(&mut self, letter: char) {
        assert_eq!(self.0.next(), Some(letter));
    }
}

/// The oracle prints UUIDs in hexadecimal groups, we print Kafka's base64.
fn plain_uuid(word: String) -> String {
    let digits: String = word.chars().filter(|&c| c != '-').collect();
    if word.len() != 36 || digits.len() != 32 {
        return word;
    }
    let bits = u128::from_str_radix(&digits, 16).expect("a UUID is hexadecimal");
    ottla::base::ids::Uuid(bits.to_be_bytes()).to_string()
}
