//! Addresses of brokers as text.

/// As a bootstrap address is written: a host of colons stands in brackets.
pub fn endpoint(host: &str, port: i32) -> String {
    match host.contains(':') {
        true => format!("[{host}]:{port}"),
        false => format!("{host}:{port}"),
    }
}

/// Kafka's port where none is given.
pub fn with_port(address: &str) -> String {
    let is_bare = !address.contains(':') || address.ends_with(']');
    match is_bare {
        true => format!("{address}:9092"),
        false => address.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_without_a_port_has_kafkas() {
        for (text, address) in [
            ("localhost", "localhost:9092"),
            ("broker:9093", "broker:9093"),
            ("[::1]", "[::1]:9092"),
            ("[::1]:9093", "[::1]:9093"),
        ] {
            assert_eq!(with_port(text), address);
        }
    }
}
